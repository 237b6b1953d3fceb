//! Makes an expression of the tokens of a filter, by the grammar of AIP-160.
//!
//! ```text
//! expression = sequence {"AND" sequence}      sequence = factor {factor}
//! factor     = term {"OR" term}               term     = ["NOT" | "-"] ( "(" expression ")" | comparison )
//! ```

use super::{
    Comparator, Expression, FilterError,
    lex::{Kind, Token},
    literal::{self, Literal},
};
use crate::query::field::{self, Field};

/// Deepest nesting of parentheses and NOTs: more than anyone writes, and a bound on the stack.
const MAX_DEPTH: usize = 32;

/// The expression that `tokens` make; none for no tokens. `end` is the position after the last character.
pub(super) fn parse(tokens: &[Token], end: usize) -> Result<Option<Expression>, FilterError> {
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser {
        rest: tokens,
        end,
        depth: 0,
    };
    let expression = parser.expression()?;
    match parser.rest.first() {
        None => Ok(Some(expression)),
        Some(token) => Err(FilterError::at(token.position, "nothing was opened here")),
    }
}

struct Parser<'a> {
    rest: &'a [Token],
    end: usize,
    depth: usize,
}

impl Parser<'_> {
    fn expression(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.sequence()?];
        while self.take_keyword("AND") {
            parts.push(self.sequence()?);
        }
        Ok(one_or(parts, Expression::All))
    }

    fn sequence(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.factor()?];
        while !self.at_end_of_sequence() {
            parts.push(self.factor()?);
        }
        Ok(one_or(parts, Expression::All))
    }

    fn factor(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.term()?];
        while self.take_keyword("OR") {
            parts.push(self.term()?);
        }
        Ok(one_or(parts, Expression::Any))
    }

    fn term(&mut self) -> Result<Expression, FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let problem = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(FilterError::at(self.position(), problem));
        }
        let term = if self.take_keyword("NOT") || self.take_keyword("-") {
            Expression::Not(Box::new(self.term()?))
        } else if self.take(&Kind::Open) {
            let inside = self.expression()?;
            if !self.take(&Kind::Close) {
                return Err(self.error("a closing parenthesis is missing"));
            }
            inside
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(term)
    }

    fn comparison(&mut self) -> Result<Expression, FilterError> {
        let position = self.position();
        let name = match self.rest.first().map(|token| &token.kind) {
            Some(Kind::Bare(name)) if !is_joint(name) => name,
            _ => return Err(self.error("a comparison is missing")),
        };
        self.rest = &self.rest[1..];
        // "-connected" is one bare word to the lexer, because values such as -5s are.
        let (negated, name) = match name.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, name.as_str()),
        };
        let field = Field::named(name, Field::filters).ok_or_else(|| {
            let known = Field::names(Field::filters);
            FilterError::at(
                position,
                format!("unknown field {name:?}; there are {known}"),
            )
        })?;
        let comparison = self.comparison_of(name, field, position)?;
        Ok(if negated {
            Expression::Not(Box::new(comparison))
        } else {
            comparison
        })
    }

    fn comparison_of(
        &mut self,
        name: &str,
        field: Field,
        position: usize,
    ) -> Result<Expression, FilterError> {
        let Some(&Token {
            kind: Kind::Comparator(comparator),
            position: operator,
        }) = self.rest.first()
        else {
            // A flag by itself asks whether it is set.
            return if field.kind() == field::Kind::Flag {
                Ok(Expression::Compare(
                    field,
                    Comparator::Equal,
                    Literal::Flag(true),
                ))
            } else {
                let problem = format!("{name} needs a comparison");
                Err(FilterError::at(position, problem))
            };
        };
        self.rest = &self.rest[1..];
        let value = self.position();
        let Some(Kind::Bare(text) | Kind::Quoted(text)) =
            self.rest.first().map(|token| &token.kind)
        else {
            return Err(self.error("a value is missing"));
        };
        self.rest = &self.rest[1..];
        if comparator == Comparator::Has && text == "*" {
            return Ok(Expression::Known(field));
        }
        if let Some(comparators) = literal::refused(field.kind(), comparator) {
            let problem = format!("{name} can be compared with {comparators} only");
            return Err(FilterError::at(operator, problem));
        }
        let literal = Literal::parse(field.kind(), text)
            .map_err(|problem| FilterError::at(value, problem))?;
        if let Some(problem) = literal.found_nowhere(comparator) {
            return Err(FilterError::at(value, problem));
        }
        Ok(Expression::Compare(field, comparator, literal))
    }

    fn take(&mut self, kind: &Kind) -> bool {
        let found = self.rest.first().is_some_and(|token| token.kind == *kind);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        self.take(&Kind::Bare(keyword.to_owned()))
    }

    fn at_end_of_sequence(&self) -> bool {
        self.rest.first().is_none_or(|token| match &token.kind {
            Kind::Close => true,
            Kind::Bare(word) => is_joint(word),
            _ => false,
        })
    }

    fn position(&self) -> usize {
        self.rest.first().map_or(self.end, |token| token.position)
    }

    fn error(&self, problem: &str) -> FilterError {
        FilterError::at(self.position(), problem)
    }
}

fn is_joint(word: &str) -> bool {
    word == "AND" || word == "OR"
}

fn one_or(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            join(parts)
        }
    }
}
