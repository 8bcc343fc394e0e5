//! The steps of searches, written down where a trace asks for it.

use crate::engine::handle::Inner;
use crate::protocol::progress::SharedError;
use crate::protocol::read::{AllRules, Landing, Search};
use crate::read::search::{Answer, Over};
use crate::wire::entry::Live;

/// One search, told from others.
#[derive(Default)]
pub(super) struct Run(#[cfg(feature = "testing")] Option<u64>);

impl Run {
    /// Of a search that finds nobody to join, which is not made before it [has looked](Self::looked).
    pub(super) fn looking(inner: &Inner, key: &str) -> Self {
        let mut run = Self::default();
        if wants(inner, key) {
            run.next(inner, key, &mut Search::new(), Answer::Nobody);
        }
        run
    }

    /// That search.
    pub(super) fn looked(
        &mut self,
        inner: &Inner,
        key: &str,
        answer: Answer,
    ) -> Search<Live, Over, SharedError> {
        match answer {
            Answer::Seen(seen, stands) if !wants(inner, key) => {
                Search::looked(&AllRules, seen, stands)
            }
            answer => {
                let mut search = Search::new();
                search.next(&AllRules, Answer::Nobody);
                self.next(inner, key, &mut search, answer);
                search
            }
        }
    }

    /// Goes on with the answer to a step.
    pub(super) fn next(
        &mut self,
        inner: &Inner,
        key: &str,
        search: &mut Search<Live, Over, SharedError>,
        answer: Answer,
    ) -> Option<Landing<Live, SharedError>> {
        #[cfg(feature = "testing")]
        if wants(inner, key) {
            return self.trace(inner, key, search, answer);
        }
        #[cfg(not(feature = "testing"))]
        let _ = (inner, key);
        search.next(&AllRules, answer)
    }

    #[cfg(feature = "testing")]
    fn trace(
        &mut self,
        inner: &Inner,
        key: &str,
        search: &mut Search<Live, Over, SharedError>,
        answer: Answer,
    ) -> Option<Landing<Live, SharedError>> {
        use serde_json::json;
        let run = *self.0.get_or_insert_with(crate::store::trace::number);
        let heard = json!({"from": search, "answer": answer});
        let told = search.next(&AllRules, answer);
        inner.trace(key, || {
            json!({"Heard": {"run": run, "key": key, "heard": heard, "to": search, "told": told}})
        });
        told
    }
}

/// Whether a trace asks for the steps of searches of `key`.
#[inline]
fn wants(inner: &Inner, key: &str) -> bool {
    #[cfg(feature = "testing")]
    return inner
        .settings
        .trace
        .as_ref()
        .is_some_and(|trace| trace.wants(key));
    #[cfg(not(feature = "testing"))]
    {
        let _ = (inner, key);
        false
    }
}

#[cfg(feature = "testing")]
mod names {
    use serde::{Serialize, Serializer};

    use super::{Live, Over, SharedError};
    use crate::wire::entry::Header;

    impl Serialize for Live {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_str(&self.header.token.name())
        }
    }

    impl Serialize for SharedError {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_unit()
        }
    }

    /// What is no entry has no name.
    impl Serialize for Over {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let header = Header::parse(self.entry());
            let name = header.map(|(header, _)| header.token.name());
            to.serialize_str(&name.unwrap_or_default())
        }
    }
}
