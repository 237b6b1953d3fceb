//! Cuts a filter into tokens.

use std::{
    iter::{Enumerate, Peekable},
    str::Chars,
};

use super::{Comparator, FilterError};

/// A token and the character it starts at, from 1.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) position: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Close,
    Comparator(Comparator),
    /// Bare text: a field, a keyword or a value.
    Bare(String),
    /// Text in quotes: always a value.
    Quoted(String),
}

type Characters<'a> = Peekable<Enumerate<Chars<'a>>>;

/// The tokens of `text`.
///
/// # Errors
/// For a quote that is never closed and a character that starts nothing.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut characters = text.chars().enumerate().peekable();
    let mut tokens = Vec::new();
    while let Some(&(index, character)) = characters.peek() {
        let position = index + 1;
        let kind = match character {
            _ if character.is_whitespace() => {
                characters.next();
                continue;
            }
            '(' => single(&mut characters, Kind::Open),
            ')' => single(&mut characters, Kind::Close),
            '"' | '\'' => Kind::Quoted(quoted(&mut characters, position)?),
            '=' | '!' | '<' | '>' | ':' => Kind::Comparator(comparator(&mut characters, position)?),
            _ => Kind::Bare(bare(&mut characters)),
        };
        tokens.push(Token { position, kind });
    }
    Ok(tokens)
}

fn single(characters: &mut Characters<'_>, kind: Kind) -> Kind {
    characters.next();
    kind
}

fn comparator(characters: &mut Characters<'_>, position: usize) -> Result<Comparator, FilterError> {
    let first = characters.next().map(|(_, character)| character);
    let equals =
        characters.next_if(|(_, next)| *next == '=' && first != Some('=') && first != Some(':'));
    Ok(match (first, equals.is_some()) {
        (Some('='), _) => Comparator::Equal,
        (Some(':'), _) => Comparator::Has,
        (Some('<'), false) => Comparator::Less,
        (Some('<'), true) => Comparator::LessOrEqual,
        (Some('>'), false) => Comparator::Greater,
        (Some('>'), true) => Comparator::GreaterOrEqual,
        (Some('!'), true) => Comparator::NotEqual,
        _ => return Err(FilterError::at(position, "unexpected '!': not equal is !=")),
    })
}

/// A quoted text; a backslash takes the next character as it is.
fn quoted(characters: &mut Characters<'_>, position: usize) -> Result<String, FilterError> {
    let quote = characters.next().map(|(_, character)| character);
    let mut text = String::new();
    while let Some((_, character)) = characters.next() {
        if Some(character) == quote {
            return Ok(text);
        }
        match (character, characters.peek()) {
            ('\\', Some(&(_, escaped))) => {
                text.push(escaped);
                characters.next();
            }
            _ => text.push(character),
        }
    }
    Err(FilterError::at(position, "the quote is never closed"))
}

fn bare(characters: &mut Characters<'_>) -> String {
    let ends = |character: char| character.is_whitespace() || "()\"'=!<>:".contains(character);
    std::iter::from_fn(|| characters.next_if(|(_, character)| !ends(*character)))
        .map(|(_, character)| character)
        .collect()
}
