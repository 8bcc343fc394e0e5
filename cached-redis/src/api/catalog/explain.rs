//! Which key a function has for given arguments, told without the program: from its exported template.
//!
//! A key is made of what `Display`, `Debug` or serde make of a value. Of types of the standard library that is known
//! here; of others the text that a person gives is taken for what their `Display` writes.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use serde::Serialize;

use super::export::{Exported, ExportedFunction};
use super::types::{bare, within};
use crate::error::Error;
use crate::wire::key::Key;
use crate::wire::template::values::{Piece, pieces};

/// Why it cannot be told which key a function has. No message contains a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// The catalogue has no function of this name, or several.
    #[error("{0}")]
    Function(String),
    /// An argument is missing.
    #[error("`{name}` is missing: give {expected}, in this order or as NAME=VALUE")]
    Missing {
        /// The placeholder.
        name: String,
        /// All that the key is made of.
        expected: String,
    },
    /// There are more arguments than the key has placeholders.
    #[error("too many arguments: the key is made of {expected}")]
    TooMany {
        /// All that the key is made of.
        expected: String,
    },
    /// An argument cannot be of the type of its parameter.
    #[error("`{name}` is no `{ty}`")]
    Type {
        /// The placeholder.
        name: String,
        /// The type, as the program writes it.
        ty: String,
    },
    /// What the key takes of a value is known to the program alone.
    #[error(
        "only the program can render `<{name}:{format}>` of a `{ty}`: let it print the key, or find it with `ls`"
    )]
    Format {
        /// The placeholder.
        name: String,
        /// `?` or `hash`.
        format: String,
        /// The type, as the program writes it.
        ty: String,
    },
}

impl From<Error> for ExplainError {
    fn from(error: Error) -> Self {
        Self::Function(error.to_string())
    }
}

impl Exported {
    /// The key that a function has for these arguments, without the namespace: what its template takes of them, in
    /// the order of the parameters, or as `NAME=VALUE`. Of an `Option` it is `None`, or the value inside, which may
    /// be written as `Some(VALUE)`.
    ///
    /// # Errors
    ///
    /// When there is no such function, an argument is missing, too many or of another type, or when only the program
    /// can tell.
    pub fn explain(&self, function: &str, arguments: &[&str]) -> Result<Key, ExplainError> {
        let function = self.function(function)?;
        let slots = function.slots();
        let given = assign(&slots, arguments)?;
        let mut key = Key::new("");
        for piece in pieces(&function.key) {
            key = match piece {
                Piece::Text(text) => key.text(text),
                Piece::Value(placeholder) => {
                    let (name, format) = parts(placeholder);
                    let mut known = slots.iter().zip(&given);
                    match known.find(|(slot, _)| slot.name == name) {
                        Some((slot, text)) => slot.render(key, format, text)?,
                        None => key,
                    }
                }
            };
        }
        Ok(key)
    }
}

impl ExportedFunction {
    /// What the key is made of, in the order of the parameters.
    fn slots(&self) -> Vec<Slot<'_>> {
        let mut slots = Vec::<Slot<'_>>::new();
        for piece in pieces(&self.key) {
            if let Piece::Value(placeholder) = piece
                && let (name, _) = parts(placeholder)
                && slots.iter().all(|slot| slot.name != name)
            {
                slots.push(self.slot(name));
            }
        }
        slots.sort_by_key(|slot| slot.place);
        slots
    }

    fn slot<'a>(&'a self, name: &'a str) -> Slot<'a> {
        let parameter = name.split('.').next().unwrap_or(name);
        let mut parameters = self.parameters.iter();
        let place = parameters.position(|(known, _)| known == parameter);
        let ty = place
            .filter(|_| parameter == name)
            .map(|at| self.parameters[at].1.as_str());
        Slot {
            name,
            place: place.unwrap_or(usize::MAX),
            ty: ty.unwrap_or_default(),
        }
    }
}

/// A value that the key takes; its type where that is known.
struct Slot<'a> {
    name: &'a str,
    place: usize,
    ty: &'a str,
}

/// The argument of each slot.
fn assign<'a>(slots: &[Slot<'_>], arguments: &[&'a str]) -> Result<Vec<&'a str>, ExplainError> {
    let mut given = vec![None; slots.len()];
    for argument in arguments {
        let named = argument.split_once('=').and_then(|(name, value)| {
            let at = slots.iter().position(|slot| slot.name == name)?;
            Some((at, value))
        });
        let next = || Some((given.iter().position(Option::is_none)?, *argument));
        let (at, value) = named.or_else(next).ok_or_else(|| ExplainError::TooMany {
            expected: expected(slots),
        })?;
        given[at] = Some(value);
    }
    let found = slots.iter().zip(given).map(|(slot, value)| {
        value.ok_or_else(|| ExplainError::Missing {
            name: slot.name.to_owned(),
            expected: expected(slots),
        })
    });
    found.collect()
}

fn expected(slots: &[Slot<'_>]) -> String {
    let text = |slot: &Slot<'_>| match slot.ty {
        "" => slot.name.to_owned(),
        ty => format!("{}: {ty}", slot.name),
    };
    match slots {
        [] => "nothing".to_owned(),
        slots => slots.iter().map(text).collect::<Vec<_>>().join(", "),
    }
}

/// A placeholder without its format, and that.
fn parts(placeholder: &str) -> (&str, &str) {
    placeholder.split_once(':').unwrap_or((placeholder, ""))
}

impl Slot<'_> {
    fn render(&self, key: Key, format: &str, text: &str) -> Result<Key, ExplainError> {
        let ty = bare(self.ty, false);
        let (ty, value) = match within(&ty, "Option<") {
            None => (ty.as_str(), Value::Plain(text)),
            Some(inner) => (inner, Value::optional(text)),
        };
        macro_rules! by_type {
            ($($name:literal: $type:ty),+) => {
                match ty {
                    $($name => self.parsed::<$type>(value)?.render(key, format),)+
                    _ => return self.foreign(&value, key, format),
                }
            };
        }
        Ok(by_type! {
            "u8": u8, "u16": u16, "u32": u32, "u64": u64, "u128": u128, "usize": usize,
            "i8": i8, "i16": i16, "i32": i32, "i64": i64, "i128": i128, "isize": isize,
            "bool": bool, "char": char, "f32": f32, "f64": f64, "String": String, "str": String,
            "Cow<,str>": String
        })
    }

    fn parsed<T: FromStr>(&self, value: Value<&str>) -> Result<Value<T>, ExplainError> {
        let parse = |text: &str| {
            text.parse().map_err(|_| ExplainError::Type {
                name: self.name.to_owned(),
                ty: self.ty.to_owned(),
            })
        };
        Ok(match value {
            Value::Plain(text) => Value::Plain(parse(text)?),
            Value::Optional(text) => Value::Optional(text.map(parse).transpose()?),
        })
    }

    /// Of a type of the program.
    fn foreign(&self, value: &Value<&str>, key: Key, format: &str) -> Result<Key, ExplainError> {
        match format {
            "" => Ok(value.render(key, "")),
            format => Err(ExplainError::Format {
                name: self.name.to_owned(),
                format: format.to_owned(),
                ty: self.ty.to_owned(),
            }),
        }
    }
}

/// A value as its parameter has it.
#[derive(Clone, Copy)]
enum Value<T> {
    Plain(T),
    Optional(Option<T>),
}

impl<'a> Value<&'a str> {
    fn optional(text: &'a str) -> Self {
        let inner = text
            .strip_prefix("Some(")
            .and_then(|text| text.strip_suffix(')'));
        Self::Optional((text != "None").then(|| inner.unwrap_or(text)))
    }
}

impl<T: Display + Debug + Serialize> Value<T> {
    fn render(&self, key: Key, format: &str) -> Key {
        match (self, format) {
            (Self::Plain(value), "hash") => key.hash(value),
            (Self::Plain(value), "?") => key.debug(value),
            (Self::Plain(value), _) => key.value(value),
            (Self::Optional(value), "hash") => key.hash(value),
            (Self::Optional(value), "?") => key.debug(value),
            (Self::Optional(value), _) => key.optional(value),
        }
    }
}

#[cfg(test)]
mod tests;
