#![doc = include_str!("page.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod asked;
mod build;
mod cdn;
mod early;
mod layer;
#[cfg(feature = "purge")]
#[cfg_attr(docsrs, doc(cfg(feature = "purge")))]
pub mod purge;
mod settings;

pub use build::BuildId;
pub use cdn::Cdn;
pub use early::{NotModified, not_modified};
pub use layer::{ConditionalGet, ConditionalGetLayer};
