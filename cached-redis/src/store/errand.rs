//! Steps that go on without their callers.

use std::time::Duration;

use bytes::Bytes;

use super::{Answer, Put};
use crate::error::StoreError;
use crate::wire::entry::Token;

/// Such a step; each is one of [`Store`](super::Store).
#[derive(Clone, Copy)]
pub(crate) enum Errand<'a> {
    /// [`invalidate`](super::Store::invalidate)
    Remove(&'a [String]),
    /// [`fill`](super::Store::fill)
    Fill(&'a str, Token, &'a Bytes, Duration),
    /// [`end`](super::Store::end)
    End(&'a [String], Token, Option<Duration>),
    /// [`put`](super::Store::put)
    Put(&'a str, Token, &'a Bytes, Duration),
}

impl<'a> Errand<'a> {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> {
        let (several, one): (&[String], _) = match *self {
            Self::Remove(keys) | Self::End(keys, ..) => (keys, None),
            Self::Fill(key, ..) | Self::Put(key, ..) => (&[], Some(key)),
        };
        several.iter().map(String::as_str).chain(one)
    }

    /// Of how many bytes what it brings is.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Remove(_) | Self::End(..) => 0,
            Self::Fill(_, _, entry, _) | Self::Put(_, _, entry, _) => entry.len(),
        }
    }
}

/// Who is told how a step ended that goes on without its caller: by whoever drives the connection, or where
/// nobody does, by the thread of the deadlines. So it must not wait for anything.
pub(crate) trait Told: Send + Sync {
    /// The answer is a number: how many keys were removed, 1 for yes, or how a [put](Put::of) went.
    fn told(&self, answer: Answer<i64>);

    /// Whether its caller may be driven by nobody, so that it has to be told late rather than wrong.
    fn is_patient(&self) -> bool;
}

impl Put {
    /// By the number that stands for it.
    pub(crate) fn of(number: i64) -> Answer<Self> {
        match number {
            2 => Ok(Self::Stored),
            1 => Ok(Self::Ended),
            0 => Ok(Self::Lapsed),
            _ => Err(StoreError::Answer),
        }
    }
}
