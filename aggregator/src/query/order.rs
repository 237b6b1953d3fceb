//! `order_by` after AIP-132: fields separated by commas, each with an optional " desc".

use std::cmp::Ordering;

use super::field::{Field, Value};

/// Most fields an order may name: more than there are.
const MAX_FIELDS: usize = 16;

/// What nodes are ordered by.
#[derive(Debug)]
pub(crate) struct Order(Vec<(Field, Direction)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Ascending,
    Descending,
}

/// What is wrong with an order.
#[derive(Debug, thiserror::Error)]
#[error("order_by: {0}")]
pub(crate) struct OrderError(String);

/// The figures of one node that an order compares, and its name, which makes every order total.
#[derive(Debug)]
pub(crate) struct Key {
    figures: Vec<Option<Figure>>,
}

#[derive(Debug)]
enum Figure {
    Text(String),
    Number(f64),
}

impl Order {
    /// Parses `text`; an empty one means the most endangered first.
    ///
    /// # Errors
    /// When it names an unknown field or is malformed.
    pub(crate) fn parse(text: &str) -> Result<Self, OrderError> {
        if text.trim().is_empty() {
            return Ok(Self(vec![(Field::Risk, Direction::Descending)]));
        }
        if text.split(',').count() > MAX_FIELDS {
            return Err(OrderError(format!("names more than {MAX_FIELDS} fields")));
        }
        text.split(',')
            .map(part)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The key by which a node with these figures is ordered.
    pub(crate) fn key<'a>(&self, figure: &dyn Fn(Field) -> Option<Value<'a>>) -> Key {
        let figures = self.0.iter();
        Key {
            figures: figures
                .map(|(field, _)| figure(*field).map(Figure::of))
                .collect(),
        }
    }

    /// Compares two keys of this order. A figure that is not known comes last, whatever the direction.
    pub(crate) fn compare(&self, one: &Key, other: &Key) -> Ordering {
        let pairs = one.figures.iter().zip(&other.figures);
        self.0
            .iter()
            .zip(pairs)
            .map(|((_, direction), pair)| match pair {
                (Some(one), Some(other)) if *direction == Direction::Ascending => {
                    one.compare(other)
                }
                (Some(one), Some(other)) => other.compare(one),
                (one, other) => other.is_some().cmp(&one.is_some()),
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

fn part(text: &str) -> Result<(Field, Direction), OrderError> {
    let mut words = text.split_whitespace();
    let name = words
        .next()
        .ok_or_else(|| OrderError("a field is missing beside a comma".to_owned()))?;
    let field = Field::named(name, Field::orders).ok_or_else(|| {
        let known = Field::names(Field::orders);
        OrderError(format!("unknown field {name:?}; there are {known}"))
    })?;
    let direction = match (words.next(), words.next()) {
        (None | Some("asc"), None) => Direction::Ascending,
        (Some("desc"), None) => Direction::Descending,
        _ => {
            let problem = format!("{:?} is no field with an optional \" desc\"", text.trim());
            return Err(OrderError(problem));
        }
    };
    Ok((field, direction))
}

impl Figure {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::State(state) => Self::Number(f64::from(state as i32)),
            Value::Ready(status) => Self::Number(f64::from(status as i32)),
            Value::Seconds(number) | Value::Number(number) => Self::Number(number),
            Value::Flag(flag) => Self::Number(f64::from(u8::from(flag))),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Number(one), Self::Number(other)) => one.total_cmp(other),
            // A field has figures of one kind only.
            _ => Ordering::Equal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Node = (&'static str, Option<f64>);

    fn sorted(order_by: &str, mut nodes: Vec<Node>) -> Vec<&'static str> {
        let order = Order::parse(order_by).expect("a valid order");
        let key = |(name, margin): &Node| {
            order.key(&|field| match field {
                Field::Name => Some(Value::Text(name)),
                Field::Margin => margin.map(Value::Seconds),
                _ => None,
            })
        };
        nodes.sort_by(|one, other| order.compare(&key(one), &key(other)));
        nodes.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn the_smallest_margin_comes_first_and_the_unknown_last_in_both_directions() {
        let nodes = vec![("a", None), ("b", Some(30.0)), ("c", Some(-2.0))];
        assert_eq!(sorted("margin", nodes.clone()), ["c", "b", "a"]);
        assert_eq!(sorted("margin desc", nodes), ["b", "c", "a"]);
    }

    #[test]
    fn a_second_field_settles_what_the_first_leaves_open() {
        let nodes = vec![("a", Some(1.0)), ("b", Some(1.0)), ("c", Some(0.0))];
        assert_eq!(sorted(" margin , name  desc", nodes), ["c", "b", "a"]);
    }

    #[test]
    fn a_malformed_order_is_refused_by_name() {
        for (order_by, wanted) in [
            (
                "margins",
                "unknown field \"margins\"; there are name, state",
            ),
            ("ready", "unknown field \"ready\""),
            ("name,", "a field is missing"),
            ("name down", "\"name down\" is no field"),
            ("name desc desc", "is no field"),
        ] {
            let error = Order::parse(order_by).expect_err(order_by).to_string();
            assert!(error.contains(wanted), "{order_by}: {error}");
        }
    }
}
