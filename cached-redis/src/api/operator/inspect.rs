//! Reads what stands under a key.

use std::slice;
use std::time::Duration;

use bytes::Bytes;

use super::Operator;
use super::entry::{Entry, Inspection, Life, Standing};
use super::known::{known, of_key};
use crate::error::Error;
use crate::store::head::Head;
use crate::store::{Answer, Store as _};
use crate::wire::codec::{Codec as _, Json, Msgpack};
use crate::wire::entry::{self, Header, Kind};
use crate::wire::key::full_key;
use crate::wire::tombstone::Tombstone;

impl Operator<'_> {
    /// What stands under `key`, which is given without the namespace. It is read beside all calls, in a few round
    /// trips, and not at one moment.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn inspect(&self, key: &str) -> Result<Inspection, Error> {
        let (store, namespace) = (&self.inner.store, &self.inner.namespace);
        let full = full_key(namespace, key);
        let heads = store.heads(slice::from_ref(&full), None).await?;
        let head = heads.into_iter().next().flatten();
        let known = known(self.catalog);
        let function = of_key(&known, key);
        let given = function.and_then(|function| function.tags(namespace, key));
        let standing = match &head {
            None => Standing::Nothing,
            Some(head) => self.standing(&full, head, given).await?,
        };
        Ok(Inspection {
            key: key.to_owned(),
            function: function.map(|it| it.path.to_owned()),
            standing,
            bytes: head.as_ref().map_or(0, |head| head.length),
            ttl: head.and_then(|head| head.ttl),
        })
    }

    async fn standing(
        &self,
        key: &str,
        head: &Head,
        given: Option<Vec<String>>,
    ) -> Answer<Standing> {
        let now = self.inner.store.now_ms(key);
        let Some(bytes) = &head.bytes else {
            return Ok(Standing::Foreign);
        };
        let Some((header, payload)) = Header::parse(bytes) else {
            return Ok(Standing::Foreign);
        };
        let read = || Entry {
            payload: Bytes::copy_from_slice(payload),
            ..entry(&header, bytes, now)
        };
        match header.kind {
            Kind::Lease => Ok(Standing::Lease),
            Kind::Tombstone => Ok(tombstone(bytes, now)),
            Kind::Pending => Ok(Standing::Pending(Entry {
                life: Life::Alive,
                ..read()
            })),
            Kind::Value | Kind::Negative => {
                let mut entry = read();
                let epoch = self.epoch(key).await?;
                // In a cluster nobody can tell whether others have epochs.
                let is_known = header.epoch != 0 || !self.inner.store.is_shared_out();
                let is_current = |epoch| epoch == header.epoch;
                entry.epoch_is_current = epoch.filter(|_| is_known).map(is_current);
                self.judge(&mut entry, bytes, given).await?;
                Ok(Standing::Entry(entry))
            }
        }
    }
}

/// What an entry says of itself.
fn entry(header: &Header, bytes: &Bytes, now: u64) -> Entry {
    let age = age(header, now);
    let fresh_for = Duration::from_millis(header.soft_ttl.into()).saturating_sub(age);
    let negative = header.kind == Kind::Negative;
    Entry {
        negative,
        age,
        fresh_for: (header.soft_ttl > 0).then_some(fresh_for),
        load_time: Duration::from_micros(u64::from(header.load_time) * 100),
        codec: codec(header).unwrap_or_default(),
        fingerprint: header.fingerprint,
        epoch: header.epoch,
        epoch_is_current: None,
        version: entry::extensions(bytes).and_then(|it| it.version),
        tags: Vec::new(),
        life: Life::Unknown,
        payload: Bytes::new(),
    }
}

fn tombstone(bytes: &Bytes, now: u64) -> Standing {
    let tombstone = Tombstone::read(Some(bytes), now);
    Standing::Tombstone {
        writers: tombstone.writers().len(),
        hold_off: tombstone.has_hold_off(),
    }
}

/// How old what has this header is.
pub(super) fn age(header: &Header, now: u64) -> Duration {
    Duration::from_millis(now.saturating_sub(header.filled_at))
}

/// The name of a codec, or its number; none of what is no value.
pub(super) fn codec(header: &Header) -> Option<String> {
    /// It is known also where it is not built in.
    const BINCODE: u8 = 1;
    matches!(header.kind, Kind::Value | Kind::Pending).then(|| match header.codec {
        BINCODE => "bincode".to_owned(),
        id if id == Msgpack.id() => "msgpack".to_owned(),
        id if id == Json.id() => "json".to_owned(),
        id => id.to_string(),
    })
}
