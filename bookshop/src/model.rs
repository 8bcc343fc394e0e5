//! What the shop knows about. Everything that is read carries the version of the row it comes from.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Book {
    pub(crate) title: String,
    pub(crate) author: i64,
    pub(crate) version: i64,
}

/// The books of one author.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shelf {
    pub(crate) titles: Vec<String>,
    pub(crate) version: i64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Stock {
    pub(crate) copies: i64,
    pub(crate) version: i64,
}

/// The books of one genre that sold best, with the number of copies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Chart {
    pub(crate) best: Vec<(String, i64)>,
    pub(crate) version: i64,
}

/// What reviewers think of a book.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Rating {
    pub(crate) reviews: i64,
    pub(crate) mean: f64,
    pub(crate) version: i64,
}

/// Names a book together with what else its changes touch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BookRef {
    pub(crate) id: i64,
    pub(crate) author: i64,
    pub(crate) genre: i64,
}

/// What can be read, and so can be outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Book(i64),
    Shelf(i64),
    Stock(i64),
    Chart(i64),
    Rating(i64),
}

/// The new version of everything that a write has changed.
pub(crate) type Written = Vec<(Subject, i64)>;

/// A value that knows which write it comes from.
pub(crate) trait Versioned {
    fn version(&self) -> i64;
}

macro_rules! versioned {
    ($($value:ty),+) => {$(
        impl Versioned for $value {
            fn version(&self) -> i64 {
                self.version
            }
        }
    )+};
}

versioned!(Book, Shelf, Stock, Chart, Rating);

/// What does not exist is older than its first version.
impl<T: Versioned> Versioned for Option<T> {
    fn version(&self) -> i64 {
        self.as_ref().map_or(0, T::version)
    }
}
