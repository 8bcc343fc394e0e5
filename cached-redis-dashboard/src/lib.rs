#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod action;
mod builder;
mod dashboard;
mod events;
mod guard;
mod history;
mod page;
mod reply;
mod respond;
#[cfg(feature = "axum")]
mod router;
mod snapshot;
mod watch;

pub use action::Action;
pub use builder::{Builder, Error};
pub use dashboard::Dashboard;
pub use guard::ACTION_HEADER;
#[cfg(feature = "axum")]
pub use router::router;
