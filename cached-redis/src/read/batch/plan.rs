//! What is a function's own in a batch, and so is compiled for each.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::Item;
use super::map::{Id, Many, Value};
use crate::engine::encode::Encoder;
use crate::engine::handle::Inner;
use crate::engine::id_map::IdMap as _;
use crate::engine::shape::ErrorSharing;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::protocol::flight::Landing;
use crate::read::audit;
use crate::wire::codec::{Checked, Choice, Equal};
use crate::wire::entry::Live;

/// How a batch loads, and what becomes of the results.
pub(crate) struct Plan<'a, S: Many, E, C, U> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) function: &'static Function,
    pub(super) encoder: Encoder<'a>,
    pub(super) codec: C,
    /// How values are compared, where that is known.
    pub(super) equal: Equal<S::Stored>,
    pub(super) errors: E,
    pub(super) verdict: &'a U,
}

impl<'a, S: Many, E, C, U> Plan<'a, S, E, C, U> {
    /// What makes and reads the entry of `item`.
    pub(super) fn encoder(&self, item: &Item<'_, Id<S>>) -> Encoder<'a> {
        let version = item.request.version;
        Encoder {
            version,
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

    /// What was loaded for `item`: for any of its ids, as the source may tell only one of them.
    pub(super) fn value_of<'v>(values: &'v S::Ok, item: &Item<'_, Id<S>>) -> Option<&'v Value<S>> {
        item.ids.iter().find_map(|id| values.value(id))
    }
}

impl<S, E, C, U> Plan<'_, S, E, C, U>
where
    S: Many<Stored: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error>,
    C: Choice,
{
    pub(super) fn checked<'v>(&self, value: &'v Value<S>) -> Checked<'v, C::Codec, S::Stored> {
        Checked {
            codec: self.codec.choose(self.inner.settings.format),
            value: S::stored(value),
            equal: self.equal,
        }
    }

    /// What those who waited for a load that failed are told.
    pub(super) fn failure(&self, error: &S::Error) -> Landing {
        let shared = self.errors.share(error);
        shared.map_or(Landing::Again, Landing::Failed)
    }

    /// Tells whether what was served is what was loaded.
    pub(super) fn compare(&self, item: &Item<'_, Id<S>>, live: &Live, values: &S::Ok) {
        let loaded = Self::value_of(values, item).map(S::stored);
        let same = self.encoder(item).equals(self.codec, live, loaded);
        let place = (&*item.request.key, &item.request.tags);
        audit::audited(self.inner, self.function, place, live, same);
    }
}
