//! What is a function's own in a batch, and so is compiled for each; and what its flow knows beside.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::{Item, Request};
use super::callee::Callee;
use super::map::{self, Many};
use super::steps::One;
use crate::engine::copies;
use crate::engine::encode::Encoder;
use crate::engine::handle::Inner;
use crate::engine::plan::{self, ErrorOf, Outcome, Shaped};
use crate::engine::shape::ErrorSharing;
use crate::engine::verdict::Verdict;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::protocol::progress::SharedError;
use crate::read::audit;
use crate::read::control::Wish;
use crate::read::search::Lookup;
use crate::wire::codec::{Checked, Choice, Codec as _, Format, Sampled};
use crate::wire::entry::Live;

pub(crate) type Id<P> = map::Id<<P as Shaped>::Shape>;
pub(crate) type Value<P> = map::Value<<P as Shaped>::Shape>;

/// What the plan of a function is to the flow of its batches: [`AnyPlan`](crate::engine::plan::AnyPlan) of each
/// of its values.
pub(crate) trait EachPlan: Shaped<Shape: Many> + Copy {
    /// Another function's copy of an error, if it is one of this type.
    fn take(&self, shared: &SharedError) -> Option<ErrorOf<Self>>;
    /// Whether its codec describes itself, given that of the cache.
    fn describes(&self, cache: Format) -> bool;
    /// What an entry answers, `Some(None)` for a known absence; `None` if it is not readable.
    fn decode(&self, encoder: &Encoder<'_>, live: &Live) -> Option<Option<Value<Self>>>;
    /// Shows what a load gave for one key.
    fn show(
        &self,
        cache: Format,
        result: Result<Option<&Value<Self>>, &ErrorOf<Self>>,
        to: &mut dyn FnMut(Outcome<'_>),
    );
}

impl<S, E, C, U> EachPlan for plan::Plan<S, E, C, U>
where
    S: Many<Stored: Serialize + DeserializeOwned> + Copy,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&map::Value<S>) -> Verdict + Copy,
{
    fn take(&self, shared: &SharedError) -> Option<S::Error> {
        self.errors.take(shared)
    }

    fn describes(&self, cache: Format) -> bool {
        self.codec.choose(cache).self_describing()
    }

    fn decode(&self, encoder: &Encoder<'_>, live: &Live) -> Option<Option<map::Value<S>>> {
        let sharing = self.shape.sharing_each();
        let copy = copies::copy(sharing, encoder.kept(self.codec, live));
        if copy.is_some() {
            return Some(copy);
        }
        let value = encoder.decode(self.codec, live)?.map(S::restored);
        if let Some(value) = &value {
            copies::keep(sharing, live, value);
        }
        Some(value)
    }

    fn show(
        &self,
        cache: Format,
        result: Result<Option<&map::Value<S>>, &S::Error>,
        to: &mut dyn FnMut(Outcome<'_>),
    ) {
        let value = match result {
            Ok(value) => value,
            Err(error) => return to(Outcome::Failed(&|| self.errors.share(error))),
        };
        let stored = value.map(|value| Checked {
            codec: self.codec.choose(cache),
            value: S::stored(value),
            equal: self.shape.equal_stored(),
        });
        to(Outcome::Value {
            stored: Sampled::of(stored.as_ref()),
            judge: &|| value.map_or(Verdict::Store, |value| (self.verdict)(value)),
        });
    }
}

/// What a batch knows of its function and the cache that it asks.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) function: &'static Function,
    pub(super) encoder: Encoder<'a>,
    pub(super) wish: Wish,
    /// Whether loads can go on without their caller.
    pub(super) detaches: bool,
}

impl<'a> Plan<'a> {
    /// What is told of the answer for `item`, where what is read is collected.
    pub(super) fn asked(&self, item: Item<'_>) -> Option<Request> {
        self.wish.is_told().then(|| item.request.clone())
    }

    /// What makes and reads the entry of `item`.
    pub(super) fn encoder(&self, item: Item<'a>) -> Encoder<'a> {
        Encoder {
            key: &item.request.key,
            version: item.request.version,
            ..self.encoder
        }
    }

    pub(super) fn one(&self, item: Item<'a>) -> One<'a> {
        One::new(item, self.lookup(item))
    }

    pub(super) fn lookup(&self, item: Item<'a>) -> Lookup<'a> {
        let (key, tags) = item.asked();
        Lookup::new(self.inner, self.function, key, tags, self.encoder.policy)
    }

    /// The policy with all that its name and the defaults add.
    pub(super) fn policy(&self) -> Policy {
        let policy = self.inner.settings.resolve(self.encoder.policy);
        policy.unwrap_or(*self.encoder.policy)
    }

    pub(super) fn emit(&self, event: &Event<'_>) {
        self.inner.emit(&self.function.site, event);
    }

    /// What was loaded for `item`.
    pub(super) fn show<T>(
        &self,
        item: Item<'_>,
        callee: &dyn Callee,
        to: impl FnOnce(Outcome<'_>) -> T,
    ) -> Option<T> {
        let (mut to, mut told) = (Some(to), None);
        callee.show(item.place, self.inner.settings.format, &mut |outcome| {
            told = to.take().map(|to| to(outcome));
        });
        told
    }

    /// Tells whether what was served is what was loaded. An error of the source says nothing of that.
    pub(super) fn compare(&self, item: Item<'a>, live: &Live, callee: &dyn Callee) {
        self.show(item, callee, |outcome| {
            if let Outcome::Value { stored, .. } = outcome {
                let same = self.encoder(item).equals(live, stored);
                let place = (&*item.request.key, &item.request.tags);
                audit::audited(self.inner, self.function, place, live, same);
            }
        });
    }
}
