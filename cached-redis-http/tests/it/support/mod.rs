//! A server of the test's own, and how much is tried.

// Shared with the tests of the library, which use more of it.
#[allow(dead_code)]
#[path = "../../../../tests/support/process.rs"]
mod process;
#[path = "../../../../cached-redis/src/store/redis/server/program.rs"]
mod program;
#[allow(dead_code)]
#[path = "../../../../tests/support/server.rs"]
mod server;
#[path = "../../../../tests/support/tier.rs"]
mod tier;

use process::signal;
pub(crate) use server::RedisServer;
pub(crate) use tier::tier;
