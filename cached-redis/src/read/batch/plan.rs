//! What is a function's own in a batch, and so is compiled for each.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::{Item, Request};
use super::map::{self, Many};
use crate::engine::copies;
use crate::engine::encode::Encoder;
use crate::engine::handle::Inner;
use crate::engine::id_map::IdMap as _;
use crate::engine::plan::{self, ErrorOf, OkOf, Shaped};
use crate::engine::shape::ErrorSharing;
use crate::engine::verdict::Verdict;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::protocol::progress::{Landing, SharedError};
use crate::read::audit;
use crate::wire::codec::{Checked, Choice, Codec as _, Format, Sampled};
use crate::wire::entry::Live;

pub(crate) type Id<P> = map::Id<<P as Shaped>::Shape>;
pub(crate) type Value<P> = map::Value<<P as Shaped>::Shape>;

/// What the plan of a function is to the flow of its batches: [`AnyPlan`](crate::engine::plan::AnyPlan) of each
/// of its values.
pub(crate) trait EachPlan: Shaped<Shape: Many> {
    /// A copy of an error for others, if it has one.
    fn share(&self, error: &ErrorOf<Self>) -> Option<SharedError>;
    /// Another function's copy of an error, if it is one of this type.
    fn take(&self, shared: &SharedError) -> Option<ErrorOf<Self>>;
    /// Whether its codec describes itself, given that of the cache.
    fn describes(&self, cache: Format) -> bool;
    /// What an entry answers, `Some(None)` for a known absence; `None` if it is not readable.
    fn decode(&self, encoder: &Encoder<'_>, live: &Live) -> Option<Option<Value<Self>>>;
    /// What becomes of a value.
    fn verdict(&self, value: &Value<Self>) -> Verdict;
    /// Shows what a load gave for one key.
    fn show<R>(
        &self,
        cache: Format,
        value: Option<&Value<Self>>,
        to: impl FnOnce(Sampled<'_>) -> R,
    ) -> R;
    /// Whether that is what an entry answers.
    fn equals(&self, encoder: &Encoder<'_>, live: &Live, value: Option<&Value<Self>>) -> bool;
}

impl<S, E, C, U> EachPlan for plan::Plan<S, E, C, U>
where
    S: Many<Stored: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error>,
    C: Choice,
    U: Fn(&map::Value<S>) -> Verdict,
{
    fn share(&self, error: &S::Error) -> Option<SharedError> {
        self.errors.share(error)
    }

    fn take(&self, shared: &SharedError) -> Option<S::Error> {
        self.errors.take(shared)
    }

    fn describes(&self, cache: Format) -> bool {
        self.codec.choose(cache).self_describing()
    }

    fn decode(&self, encoder: &Encoder<'_>, live: &Live) -> Option<Option<map::Value<S>>> {
        let sharing = self.shape.sharing_each();
        let copy = copies::copy(sharing, live, || encoder.reads(self.codec, live));
        if copy.is_some() {
            return Some(copy);
        }
        let value = encoder.decode(self.codec, live)?.map(S::restored);
        if let Some(value) = &value {
            copies::keep(sharing, live, value);
        }
        Some(value)
    }

    fn verdict(&self, value: &map::Value<S>) -> Verdict {
        (self.verdict)(value)
    }

    fn show<R>(
        &self,
        cache: Format,
        value: Option<&map::Value<S>>,
        to: impl FnOnce(Sampled<'_>) -> R,
    ) -> R {
        let checked = value.map(|value| Checked {
            codec: self.codec.choose(cache),
            value: S::stored(value),
            equal: self.shape.equal_stored(),
        });
        to(Sampled::of(checked.as_ref()))
    }

    fn equals(&self, encoder: &Encoder<'_>, live: &Live, value: Option<&map::Value<S>>) -> bool {
        encoder.equals(self.codec, live, value.map(S::stored))
    }
}

/// The plan of a function, and the cache that a batch of it asks.
pub(crate) struct Plan<'a, P> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) function: &'static Function,
    pub(super) encoder: Encoder<'a>,
    pub(super) own: &'a P,
    /// Whether what is read is collected, for which each answer needs its request.
    pub(super) collects: bool,
}

impl<'a, P: EachPlan> Plan<'a, P> {
    /// What is told of the answer for `item`.
    pub(super) fn asked(&self, item: &Item<'_, Id<P>>) -> Option<Request> {
        self.collects.then(|| item.request.clone())
    }

    /// What makes and reads the entry of `item`.
    pub(super) fn encoder<'i>(&'i self, item: &'i Item<'_, Id<P>>) -> Encoder<'i> {
        Encoder {
            key: &item.request.key,
            version: item.request.version,
            ..self.encoder
        }
    }

    /// The policy with all that its name and the defaults add.
    pub(super) fn policy(&self) -> Policy {
        let policy = self.inner.settings.resolve(self.encoder.policy);
        policy.unwrap_or(*self.encoder.policy)
    }

    pub(super) fn emit(&self, event: &Event<'_>) {
        self.inner.emit(&self.function.site, event);
    }

    /// Shows what was loaded for `item`: for any of its ids, as the source may tell only one of them.
    pub(super) fn show<R>(
        &self,
        values: &OkOf<P>,
        item: &Item<'_, Id<P>>,
        to: impl FnOnce(Sampled<'_>) -> R,
    ) -> R {
        let value = Self::value_of(values, item);
        self.own.show(self.inner.settings.format, value, to)
    }

    pub(super) fn value_of<'v>(
        values: &'v OkOf<P>,
        item: &Item<'_, Id<P>>,
    ) -> Option<&'v Value<P>> {
        item.ids.iter().find_map(|id| values.value(id))
    }

    /// What those who waited for a load that failed are told.
    pub(super) fn failure(&self, error: &ErrorOf<P>) -> Landing {
        let shared = self.own.share(error);
        shared.map_or(Landing::Again, Landing::Failed)
    }

    /// Tells whether what was served is what was loaded.
    pub(super) fn compare(&self, item: &Item<'_, Id<P>>, live: &Live, values: &OkOf<P>) {
        let loaded = Self::value_of(values, item);
        let same = self.own.equals(&self.encoder(item), live, loaded);
        let place = (&*item.request.key, &item.request.tags);
        audit::audited(self.inner, self.function, place, live, same);
    }
}
