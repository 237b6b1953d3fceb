//! `order_by` after AIP-132: fields separated by commas, each with an optional " desc".

use std::cmp::Ordering;

use super::field::{Field, Kind, Value};

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
struct Key {
    figures: Vec<Option<Figure>>,
}

#[derive(Debug)]
enum Figure {
    Text(String),
    Number(f64),
}

/// Nodes being brought into an order, by their numbers; equals by number.
#[derive(Debug)]
pub(crate) struct Ranking<'a> {
    order: &'a Order,
    /// Where a single number decides.
    by_number: Vec<(Rank, u32)>,
    /// Where anything else does.
    by_key: Vec<(Key, u32)>,
}

/// The place of a number in an order: a smaller one comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Known(i64),
    /// Last, whatever the direction.
    Unknown,
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

    /// The field that alone decides, when its values are numbers.
    fn single_number(&self) -> Option<(Field, Direction)> {
        match *self.0 {
            [(field, direction)] if !matches!(field.kind(), Kind::Text | Kind::Cause) => {
                Some((field, direction))
            }
            _ => None,
        }
    }

    /// The key by which a node with these figures is ordered.
    fn key<'a>(&self, figure: &dyn Fn(Field) -> Option<Value<'a>>) -> Key {
        let figures = self.0.iter();
        Key {
            figures: figures
                .map(|(field, _)| figure(*field).map(Figure::of))
                .collect(),
        }
    }

    /// Compares two keys of this order. A figure that is not known comes last, whatever the direction.
    fn compare(&self, one: &Key, other: &Key) -> Ordering {
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

impl<'a> Ranking<'a> {
    /// A ranking of no node, with room for so many.
    pub(crate) fn new(order: &'a Order, most: usize) -> Self {
        let numbers = order.single_number().map_or(0, |_| most);
        Self {
            order,
            by_number: Vec::with_capacity(numbers),
            by_key: Vec::new(),
        }
    }

    /// Takes the node with this number.
    pub(crate) fn take<'v>(&mut self, figure: &dyn Fn(Field) -> Option<Value<'v>>, number: u32) {
        match self.order.single_number() {
            Some((field, direction)) => {
                let value = figure(field).map(Figure::of);
                self.by_number
                    .push((Rank::of(value.as_ref(), direction), number));
            }
            None => self.by_key.push((self.order.key(figure), number)),
        }
    }

    /// The numbers in order.
    pub(crate) fn finish(mut self) -> Vec<u32> {
        self.by_number.sort_unstable();
        self.by_key
            .sort_unstable_by(|(one, first), (other, second)| {
                let order = self.order.compare(one, other);
                order.then_with(|| first.cmp(second))
            });
        let by_number = self.by_number.into_iter().map(|(_, number)| number);
        let by_key = self.by_key.into_iter().map(|(_, number)| number);
        by_number.chain(by_key).collect()
    }
}

impl Rank {
    fn of(figure: Option<&Figure>, direction: Direction) -> Self {
        let Some(Figure::Number(number)) = figure else {
            return Self::Unknown;
        };
        // As `f64::total_cmp` has it.
        let bits = number.to_bits().cast_signed();
        let ascending = bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed();
        Self::Known(match direction {
            Direction::Ascending => ascending,
            Direction::Descending => !ascending,
        })
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
