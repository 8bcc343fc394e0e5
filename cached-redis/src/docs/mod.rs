//! Long pages: how to use it, which option for what, how keys and tags work, what is promised.

#[doc = include_str!("guide.md")]
pub mod guide {}

#[doc = include_str!("stampedes.md")]
pub mod stampedes {}

#[doc = include_str!("writing.md")]
pub mod writing {}

#[doc = include_str!("write_behind.md")]
pub mod write_behind {}

#[doc = include_str!("keys.md")]
pub mod keys {}

#[doc = include_str!("tags.md")]
pub mod tags {}

#[doc = include_str!("versions.md")]
pub mod versions {}

#[doc = include_str!("consistency.md")]
pub mod consistency {}

#[doc = include_str!("two_levels.md")]
pub mod two_levels {}

#[doc = include_str!("outages.md")]
pub mod outages {}

#[doc = include_str!("deployments.md")]
pub mod deployments {}

#[doc = include_str!("strategies.md")]
pub mod strategies {}

#[doc = include_str!("web.md")]
pub mod web {}

#[doc = include_str!("testing.md")]
#[cfg_attr(feature = "testing", doc = include_str!("testing_failure.md"))]
pub mod testing {}

#[doc = include_str!("rollout.md")]
pub mod rollout {}

#[doc = include_str!("events.md")]
pub mod events {}

#[cfg(test)]
mod checks;
