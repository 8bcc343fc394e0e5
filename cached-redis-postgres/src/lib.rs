#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod applied;
mod emit;
mod error;
mod feed;
mod lsn;
mod message;
pub mod sql;
#[cfg(feature = "sqlx")]
pub mod sqlx;

pub use applied::is_first;
pub use emit::{commit, emit};
pub use error::Error;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub use feed::Halt;
pub use feed::{Builder, Feed, FeedState, FeedStats};
pub use lsn::Lsn;
