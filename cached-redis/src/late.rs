//! Loads that take too long, and arguments of loads that nobody waits for any more.

use std::borrow::Borrow;
use std::fmt;
use std::time::Duration;

use crate::call::Call;
use crate::error::Timeout;
use crate::event::Event;
use crate::handle::Cache;
use crate::registry::Function;

/// The return type of a function under `#[redis_cached(…, timeout = …)]`.
#[diagnostic::on_unimplemented(
    message = "a function with `timeout` returns a `Result`, to give a call up",
    label = "this is no `Result`",
    note = "return a `Result`, or remove `timeout`: the call then waits for its load"
)]
pub trait TimedOut {
    /// The error for a call that was given up.
    fn timed_out(timeout: Timeout) -> Self;
}

impl<T, E: From<Timeout>> TimedOut for Result<T, E> {
    fn timed_out(timeout: Timeout) -> Self {
        Err(timeout.into())
    }
}

/// How long a call may take, its waiting for others included.
#[derive(Debug)]
pub struct Timer {
    function: &'static Function,
    /// None where no cache is asked and the function simply runs.
    cache: Option<Cache>,
    after: Duration,
}

impl Timer {
    /// Awaits `read`, or gives it up. Its load ends with it, unless it runs behind an entry.
    pub async fn run<R: TimedOut>(self, read: impl Future<Output = R>) -> R {
        let Some(cache) = &self.cache else {
            return read.await;
        };
        tokio::time::timeout(self.after, read)
            .await
            .unwrap_or_else(|_| {
                cache.inner.emit(&self.function.site, &Event::TimedOut);
                R::timed_out(Timeout { after: self.after })
            })
    }
}

impl Call {
    /// Limits the time of this call.
    #[must_use]
    pub fn timer(&self, after: Duration) -> Timer {
        Timer {
            function: self.function,
            cache: self.cache().cloned(),
            after,
        }
    }
}

/// What a load can be given that goes on without its caller.
#[diagnostic::on_unimplemented(
    message = "a load that goes on behind its caller cannot borrow a `{Self}`",
    label = "this cannot be copied into a task of its own",
    note = "implement `Clone`, pass it by value or behind an `Arc`, or set the option in a `policy`: one caller then waits for the load"
)]
pub trait Lent: ToOwned<Owned: Send + Sync + 'static> {}

impl<T: ToOwned<Owned: Send + Sync + 'static> + ?Sized> Lent for T {}

/// A copy of something that the caller lends.
pub struct Held<T: ToOwned + ?Sized>(T::Owned);

impl<T: ToOwned + ?Sized> Held<T> {
    /// The copy, as it was lent.
    pub fn get(&self) -> &T {
        self.0.borrow()
    }
}

impl<T: ToOwned + ?Sized> fmt::Debug for Held<T> {
    /// Says nothing of what it holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// Copies what the caller lends.
pub fn held<T: Lent + ?Sized>(lent: &T) -> Held<T> {
    Held(lent.to_owned())
}
