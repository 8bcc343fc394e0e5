//! Faults on purpose, a clock that stands still, and a record of what happened: for tests of code
//! that uses a cache. Behind the feature `testing`, which belongs among the dev-dependencies.
//!
//! ```toml
//! [dev-dependencies]
//! cached-redis = { version = "0.1", features = ["testing"] }
//! ```
//!
//! | | |
//! |---|---|
//! | [`Faults`] | delays, fails, loses and reorders what a cache asks of its store, by a seed |
//! | [`HeldClock`] | moves Tokio's paused clock, and lets everything that comes due run |
//! | [`Recorder`] | everything that a cache did, in order |
//! | [`Trace`] | the steps of reads and of the store under some keys, for a replay |
//! | [`publish`], [`append`] | a message as another program sends it |
//!
//! ```
//! use cached_redis::testing::{Faults, Recorded, Recorder};
//! use cached_redis::{Cache, Invalidation, redis_cached};
//!
//! #[redis_cached(key = "price:<article>", ttl = "5m")]
//! async fn price(article: u64) -> u64 {
//!     99
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), cached_redis::Error> {
//! let (faults, recorder) = (Faults::seeded(7), Recorder::new());
//! let cache = Cache::builder()
//!     .url("memory://")
//!     .faults(faults.clone())
//!     .recorder(recorder.clone())
//!     .build()
//!     .await?;
//!
//! faults.outage(true);
//! assert_eq!(cache.scope(price(1)).await, 99); // the function runs without its cache
//! assert_eq!(cache.invalidate("price:1").await?, Invalidation::Deferred);
//! assert_eq!(recorder.count(Recorded::Bypass), 1);
//!
//! faults.outage(false);
//! cache.flush().await?; // replays what was deferred
//! assert_eq!(recorder.count(Recorded::Replayed), 1);
//! # Ok(())
//! # }
//! ```

mod clock;
mod message;

pub use crate::observe::recorder::{Record, Recorded, Recorder};
pub use crate::store::faults::{Faults, Injected};
pub use crate::store::trace::Trace;
pub use clock::HeldClock;
pub use message::{append, publish};
