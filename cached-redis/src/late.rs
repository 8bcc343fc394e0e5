//! Loads that take too long, and arguments of loads that nobody waits for any more.

use std::borrow::Borrow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::call::Call;
use crate::error::Timeout;
use crate::event::Event;
use crate::handle::Cache;
use crate::refusal::MadeOf;
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

/// What a load can be given that goes on without its caller.
// What keeps the copy is a parameter: an associated type would be a second error where there is none.
#[diagnostic::on_unimplemented(
    message = "a load that goes on behind its caller cannot borrow a `{Self}`",
    label = "this cannot be copied into a task of its own",
    note = "a copy needs `Clone`, `Send` and `Sync`; implement them, pass it by value or behind an `Arc`, or set the option in a `policy`: one caller then waits for the load"
)]
pub trait Lent<O> {
    /// Makes the copy.
    fn copied(&self) -> O;
}

// `ToOwned` is the same for all of these, and makes worse messages for what is not `Clone`.
#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Lent<T> for T {
    fn copied(&self) -> T {
        self.clone()
    }
}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Lent<Vec<T>> for [T] {
    fn copied(&self) -> Vec<T> {
        self.to_vec()
    }
}

macro_rules! lent {
    ($($lent:ty => $copy:ty;)+) => {$(
        impl Lent<$copy> for $lent {
            fn copied(&self) -> $copy {
                self.to_owned()
            }
        }
    )+};
}

lent! {
    str => String;
    Path => PathBuf;
    OsStr => OsString;
    CStr => CString;
}

/// A copy `O` of something that the caller lends.
pub struct Held<T: ?Sized, O> {
    copy: O,
    lent: PhantomData<fn(&T)>,
}

impl<T: ?Sized, O: Borrow<T>> Held<T, O> {
    /// The copy, as it was lent.
    pub fn get(&self) -> &T {
        self.copy.borrow()
    }
}

impl<T: ?Sized, O> fmt::Debug for Held<T, O> {
    /// Says nothing of what it holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// Copies what the caller lends.
pub fn held<T: Lent<O> + ?Sized, O>(lent: &T) -> Held<T, O> {
    Held {
        copy: lent.copied(),
        lent: PhantomData,
    }
}
