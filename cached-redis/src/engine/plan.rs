//! What is a function's own in a read or a write: what its results look like, and what becomes of them. All
//! else of the flows sees bytes, and is compiled once.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::copies;
use crate::engine::encode::Encoder;
use crate::engine::shape::{ErrorSharing, Shape};
use crate::engine::verdict::Verdict;
use crate::protocol::progress::SharedError;
use crate::wire::codec::{Checked, Choice, Codec as _, Format, Sampled};
use crate::wire::entry::Live;

/// The plan of a function: the shape of its results, whether its errors are shared, its codec and its
/// verdict.
#[derive(Clone, Copy, Debug)]
pub struct Plan<S, E, C, U> {
    pub(crate) shape: S,
    pub(crate) errors: E,
    pub(crate) codec: C,
    /// Of a result, or of each value of a batch.
    pub(crate) verdict: U,
}

/// A plan, as far as expansions see it.
pub trait Shaped {
    /// How the return value splits.
    type Shape: Shape;
}

impl<S: Shape, E, C, U> Shaped for Plan<S, E, C, U> {
    type Shape = S;
}

/// What a function returns.
pub(crate) type ReturnOf<P> = <<P as Shaped>::Shape as Shape>::Return;
/// What it returns when it did not fail.
pub(crate) type OkOf<P> = <<P as Shaped>::Shape as Shape>::Ok;
/// What it fails with.
pub(crate) type ErrorOf<P> = <<P as Shaped>::Shape as Shape>::Error;
/// What it gives, by either way.
pub(crate) type ResultOf<P> = Result<OkOf<P>, ErrorOf<P>>;

/// What a load gave, as code sees it that is compiled once.
#[derive(Clone, Copy)]
pub(crate) enum Outcome<'a> {
    /// An error; what makes a copy of it for others, if it has one.
    Failed(&'a dyn Share),
    Value {
        stored: Sampled<'a>,
        judge: &'a dyn Judge,
    },
}

/// What makes a copy of an error, if it has one: a closure, see [`erased`](crate::util::erased).
pub(crate) trait Share {
    fn share(&self) -> Option<SharedError>;
}

impl<F: Fn() -> Option<SharedError>> Share for F {
    fn share(&self) -> Option<SharedError> {
        self()
    }
}

/// What is asked of a value that was loaded: a closure too.
pub(crate) trait Judge {
    fn verdict(&self) -> Verdict;
}

impl<F: Fn() -> Verdict> Judge for F {
    fn verdict(&self) -> Verdict {
        self()
    }
}

/// What a plan is to the flows.
pub(crate) trait AnyPlan: Shaped + Copy {
    /// Another function's copy of an error, if it is one of this type.
    fn take(&self, shared: &SharedError) -> Option<ErrorOf<Self>>;
    /// Whether its codec describes itself, given that of the cache.
    fn describes(&self, cache: Format) -> bool;
    /// What an entry answers, if its value was decoded before.
    fn copy(&self, cache: Format, live: &Live) -> Option<OkOf<Self>>;
    /// What an entry answers, if it can be read.
    fn decode(&self, encoder: &Encoder<'_>, live: &Live) -> Option<OkOf<Self>>;
    /// Shows what a load gave.
    fn show<R>(
        &self,
        cache: Format,
        result: &ResultOf<Self>,
        to: impl FnOnce(Outcome<'_>) -> R,
    ) -> R;
}

impl<S, E, C, U> AnyPlan for Plan<S, E, C, U>
where
    S: Shape<Value: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&S::Ok) -> Verdict + Copy,
{
    fn take(&self, shared: &SharedError) -> Option<S::Error> {
        self.errors.take(shared)
    }

    fn describes(&self, cache: Format) -> bool {
        self.codec.choose(cache).self_describing()
    }

    #[inline]
    fn copy(&self, cache: Format, live: &Live) -> Option<S::Ok> {
        let kept = copies::kept(self.codec.choose(cache), live);
        copies::copy(self.shape.sharing(), kept)
    }

    fn decode(&self, encoder: &Encoder<'_>, live: &Live) -> Option<S::Ok> {
        let sharing = self.shape.sharing();
        let copy = copies::copy(sharing, encoder.kept(self.codec, live));
        if copy.is_some() {
            return copy;
        }
        let ok = encoder.decode(self.codec, live).and_then(S::ok)?;
        copies::keep(sharing, live, &ok);
        Some(ok)
    }

    fn show<R>(
        &self,
        cache: Format,
        result: &Result<S::Ok, S::Error>,
        to: impl FnOnce(Outcome<'_>) -> R,
    ) -> R {
        let ok = match result {
            Ok(ok) => ok,
            Err(error) => return to(Outcome::Failed(&|| self.errors.share(error))),
        };
        let value = S::value(ok).map(|value| Checked {
            codec: self.codec.choose(cache),
            value,
            equal: self.shape.equal(),
        });
        to(Outcome::Value {
            stored: Sampled::of(value.as_ref()),
            judge: &|| (self.verdict)(ok),
        })
    }
}
