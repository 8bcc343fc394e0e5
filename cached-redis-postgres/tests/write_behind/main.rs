//! Write-behind to PostgreSQL. A program of its own: where one function is under `#[write_behind]`, every cache has to
//! know of it.

mod applied;
#[allow(unused, reason = "shared by several programs, each uses its part")]
#[path = "../it/support/mod.rs"]
mod support;
