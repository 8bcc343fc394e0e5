//! Loads that take too long.

use std::time::Duration;

use crate::engine::handle::Cache;
use crate::error::Timeout;
use crate::error::conversion::MadeOf;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::read::call::Call;

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

impl<T, E: MadeOf<Timeout>> TimedOut for Result<T, E> {
    fn timed_out(timeout: Timeout) -> Self {
        Err(E::made_of(timeout))
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
