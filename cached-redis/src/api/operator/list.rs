//! What stands under the keys of a pattern, by headers alone: values stay where they are.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;

use super::Operator;
use super::entry::millis;
use super::inspect::{age, codec};
use super::known::{Known, known, of_key};
use crate::error::Error;
use crate::store::Store as _;
use crate::store::head::Head;
use crate::wire::entry::{HEADER, Header, Kind};
use crate::wire::key::Pattern;

/// Keys of a pattern; [`Operator::list`] gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Listing {
    /// What was found, in no order.
    pub keys: Vec<Listed>,
    /// How many keys of the namespace were looked at.
    pub scanned: u64,
    /// Whether those are all there are.
    pub complete: bool,
}

/// One key of a [`Listing`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Listed {
    /// The key, without the namespace.
    pub key: String,
    /// `value`, `negative`, `lease`, `pending`, `tombstone` or `foreign`.
    pub kind: &'static str,
    /// How many bytes stand there.
    pub bytes: u64,
    /// Since when an entry stands, by the clock of the server.
    #[serde(rename = "age_ms", serialize_with = "millis")]
    pub age: Option<Duration>,
    /// For how long it stands; `None`: it has no end, which of the cache only what is pending has.
    #[serde(rename = "ttl_ms", serialize_with = "millis")]
    pub ttl: Option<Duration>,
    /// The codec of a value, or the number of one that is not built in.
    pub codec: Option<String>,
    /// The [epoch](crate::OnFailover::Epoch) of an entry; 0: whoever wrote it has none.
    pub epoch: Option<u32>,
    /// The function that has the key, by its template.
    pub function: Option<String>,
}

impl Operator<'_> {
    /// The keys that match `pattern`, in which `*` stands for any text: `most` of them at most, with what their
    /// headers tell. By `SCAN`, some hundred keys at a time, from one end of the store to the other or until there
    /// are enough. What is the cache's own, such as the generations of tags, is not among them.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when a server does not answer, or keys are being moved between servers.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn list(&self, pattern: &str, most: usize) -> Result<Listing, Error> {
        let (store, namespace) = (&self.inner.store, &self.inner.namespace);
        let pattern = Pattern::new(namespace, pattern);
        let known = known(self.catalog);
        // A scan may give a key twice.
        let mut seen = HashSet::new();
        let (mut keys, mut scanned, mut cursor) = (Vec::new(), 0, 0);
        loop {
            let (found, next) = store.scan(pattern.beginning(), cursor).await?;
            scanned += found.len() as u64;
            let is_new = |key: &String| pattern.matches(key) && seen.insert(key.clone());
            let found: Vec<_> = found.into_iter().filter(is_new).collect();
            let heads = store.heads(&found, Some(HEADER)).await?;
            for (key, head) in found.iter().zip(heads) {
                // What is gone meanwhile is none.
                let Some(head) = head else { continue };
                if keys.len() == most {
                    return Ok(Listing {
                        keys,
                        scanned,
                        complete: false,
                    });
                }
                let now = store.now_ms(key);
                keys.push(listed(&key[namespace.len() + 1..], &head, now, &known));
            }
            cursor = next;
            if cursor == 0 {
                return Ok(Listing {
                    keys,
                    scanned,
                    complete: true,
                });
            }
        }
    }
}

fn listed(key: &str, head: &Head, now: u64, known: &[Known<'_>]) -> Listed {
    let header = head.bytes.as_deref().and_then(Header::peek);
    let of_entry = |it: &Header| matches!(it.kind, Kind::Value | Kind::Negative | Kind::Pending);
    let entry = header.filter(of_entry);
    Listed {
        key: key.to_owned(),
        kind: header.map_or("foreign", |it| it.kind.name()),
        bytes: head.length,
        age: entry.map(|header| age(&header, now)),
        ttl: head.ttl,
        codec: entry.and_then(|header| codec(&header)),
        epoch: entry.map(|header| header.epoch),
        function: of_key(known, key).map(|it| it.path.to_owned()),
    }
}
