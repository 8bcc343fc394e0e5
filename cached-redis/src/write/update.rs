//! Changing a value that has no source but the cache: counters, stock, sessions.
//!
//! Two callers that read 5 and store 6 have lost one of their updates. Here nobody stores over what
//! he has not seen: each update reads, computes, and stores only if the very entry it has read still
//! stands, by its token, in one atomic step (what `WATCH`, `MULTI` and `EXEC` do, on a connection that
//! is shared). Whoever loses that race begins again with the winner's value.
//!
//! Where nothing stands there is no token to compare with: the update takes the lease of the key
//! first, as a load does, so an invalidation in between is noticed as well. The lease of somebody's load
//! is waited for, since what it brings is what is to be updated; so is a tombstone.
//!
//! An answer that got lost leaves open whether the update was stored. Trying again from the start
//! might apply it twice, so the same entry is sent again instead: the store says "won" if it stands,
//! stores it if that can still be done, and otherwise nobody knows.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use crate::engine::encode::{EncodedEntry, Encoder};
use crate::engine::fill::FillRight;
use crate::engine::handle::Inner;
use crate::engine::label::{self, Label};
use crate::engine::lease::Lease;
use crate::engine::tags::{self, Basis, Stamp};
use crate::error::{Error, StoreError};
use crate::observe::event::Event;
use crate::observe::registry::{DIRECT, Function};
use crate::observe::status::Filled;
use crate::policy::Policy;
use crate::protocol::freshness;
use crate::protocol::journal::Pass;
use crate::store::Store as _;
use crate::util::backoff::Backoff;
use crate::wire::codec::FromCache;
use crate::wire::entry::{Header, Kind, Live, Token};
use crate::write::invalidate;

/// How often an entry is sent whose storing was not confirmed, with pauses from 50 ms.
const SENDINGS: u32 = 4;

/// Replaces the value under `key` by what `change` makes of it; the new one has what `label` says, and the
/// tags that the old one names.
pub(crate) async fn update<T, E, F>(
    inner: &Arc<Inner>,
    policy: &Policy,
    key: String,
    label: Label,
    mut change: F,
) -> Result<T, E>
where
    T: Serialize + DeserializeOwned,
    E: From<Error>,
    F: FnMut(Option<T>) -> Result<T, E>,
{
    invalidate::check(inner, policy)?;
    let update = Update::new(inner, policy, key, label);
    if update.label.tags.are_too_many() {
        return Err(Error::setting("tags", "more than an entry can have").into());
    }
    let mut backoff = Backoff::contention();
    for attempt in 1.. {
        let base = update.base().await?;
        update.refuse_unlabelled(&base).await?;
        let value = change(update.value(&base)?)?;
        let encoded = update.encode(&value, &base)?;
        if update.set(base, encoded).await? {
            return Ok(value);
        }
        if attempt >= inner.settings.update_attempts {
            break;
        }
        sleep(backoff.next()).await;
    }
    Err(Error::Contended.into())
}

/// What stood when an attempt began.
struct Base {
    /// `None`: nothing.
    live: Option<Live>,
    right: FillRight,
    pass: Pass,
}

struct Update<'a> {
    inner: &'a Arc<Inner>,
    key: String,
    label: Label,
    /// Who reads the key and would not find what it looks for, unless what stands there has it.
    unsuited: Option<&'static Function>,
    encoder: Encoder<'a>,
    /// Until when it waits for those who hold the key.
    until: Instant,
}

impl<'a> Update<'a> {
    fn new(inner: &'a Arc<Inner>, policy: &'a Policy, key: String, label: Label) -> Self {
        let (label, unsuited) = match label.fitted(inner, &key) {
            Ok(fitted) => (fitted, None),
            Err(reader) => (label, Some(reader)),
        };
        let encoder = Encoder {
            version: label.version,
            ..Encoder::new(inner, &DIRECT, policy, FromCache)
        };
        Self {
            inner,
            key,
            label,
            unsuited,
            encoder,
            until: Instant::now() + inner.settings.wait,
        }
    }

    /// What stands now, and the right to replace it while it does.
    async fn base(&self) -> Result<Base, Error> {
        let mut backoff = Backoff::contention();
        loop {
            let pass = self.pass()?;
            let seen = self.inner.store.get(&self.key).await?;
            if let Some((live, right)) = self.judge(seen).await? {
                return Ok(Base { live, right, pass });
            }
            if Instant::now() >= self.until {
                return Err(Error::Contended);
            }
            sleep(backoff.next()).await;
        }
    }

    fn pass(&self) -> Result<Pass, Error> {
        let pass = self
            .inner
            .journal
            .pass_all(&self.key, self.label.tags.keys());
        pass.ok_or(Error::Deferred)
    }

    /// `None`: somebody holds the key.
    async fn judge(&self, seen: Option<Bytes>) -> Result<Option<(Option<Live>, FillRight)>, Error> {
        let dead = match seen {
            None => None,
            Some(entry) => {
                let header = Header::parse(&entry).map(|(header, _)| header);
                let header = header.ok_or_else(|| self.unreadable())?;
                match header.kind {
                    Kind::Lease | Kind::Tombstone | Kind::Pending => return Ok(None),
                    Kind::Value | Kind::Negative
                        if self.inner.store.is_current(&self.key, header.epoch) =>
                    {
                        let live = Live::new(header, entry);
                        let Some(stamp) = self.stamp(Some(&live.entry)).await? else {
                            return Ok(None);
                        };
                        let epoch = header.epoch;
                        let right = FillRight::Entry(header.token, Basis { epoch, stamp });
                        // After the stamp: a tag that is invalidated later makes the new value dead too.
                        match tags::alive(self.inner, &self.label.tags, live.clone()).await? {
                            Some(live) if self.is_usable(&live) => {
                                return Ok(Some((Some(live), right)));
                            }
                            _ => Some(live.entry),
                        }
                    }
                    // It may have been invalidated on a server that is gone.
                    Kind::Value | Kind::Negative => Some(entry),
                }
            }
        };
        let Ok(lease) = Lease::ask(self.inner, &self.key, dead).await? else {
            return Ok(None);
        };
        let stamp = self.stamp(None).await?;
        Ok(stamp.map(|stamp| (None, FillRight::Lease(lease.stamped(stamp)))))
    }

    /// Whether it would be served to a reader of this label, who has no stale windows.
    fn is_usable(&self, live: &Live) -> bool {
        self.label.fits(live)
            && !freshness::is_past_ttl(&live.header, self.inner.store.now_ms(&self.key))
    }

    /// The tags that the entry names go on with the new value; `None`: one of them is barred.
    async fn stamp(&self, before: Option<&[u8]>) -> Result<Option<Stamp>, StoreError> {
        Stamp::take(self.inner, &self.label.tags, self.encoder.policy, before).await
    }

    /// The value would be stored without what a reader of the key looks for: it is invalidated instead.
    async fn refuse_unlabelled(&self, base: &Base) -> Result<(), Error> {
        let has_tags = !base.right.basis().stamp.is_empty();
        let unsuited = |reader: &&&Function| !has_tags || reader.info.versioned;
        let Some(reader) = self.unsuited.as_ref().filter(unsuited) else {
            return Ok(());
        };
        label::unlabelled(self.inner, &DIRECT.site, reader);
        let keys = vec![self.key.clone()];
        invalidate::invalidate(self.inner, &DIRECT.site, keys).await?;
        Err(Error::Unstorable)
    }

    /// A miss to readers; here it may be all that there is of what others have stored.
    fn unreadable(&self) -> Error {
        self.emit(&Event::Undecodable);
        Error::Unreadable
    }

    fn value<T>(&self, base: &Base) -> Result<Option<T>, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        let Some(live) = &base.live else {
            return Ok(None);
        };
        let value = self.encoder.decode(FromCache, live);
        value.ok_or_else(|| self.unreadable())
    }

    fn encode<T>(&self, value: &T, base: &Base) -> Result<EncodedEntry, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        let basis = base.right.basis();
        // Whoever may read the old value may read the new one.
        let encoder = Encoder {
            key: &self.key,
            origin: base.live.as_ref().and_then(Live::origin),
            ..self.encoder
        };
        let encoded = encoder.encode_by_hand(value, basis);
        encoded.ok_or(Error::Unstorable)
    }

    /// Whether the new value has taken the place of the one that was read.
    async fn set(&self, base: Base, encoded: EncodedEntry) -> Result<bool, Error> {
        let Base { right, pass, .. } = base;
        let (store, epoch) = (&self.inner.store, right.basis().epoch);
        self.pass()?;
        // On another server an entry may be back that was invalidated.
        if !self.inner.journal.stands(pass) || store.epoch(&self.key) != epoch {
            return Ok(false);
        }
        let size = encoded.entry.len();
        let stored = self.send(right.token(), encoded).await?;
        let filled = match stored {
            true if store.epoch(&self.key) == epoch => Filled::Stored,
            true => Filled::Overtaken,
            false => right.refusal(),
        };
        if stored {
            right.replaced();
            self.inner.journal.changed(&self.key);
        }
        self.emit(&Event::filled(filled, size));
        Ok(filled == Filled::Stored)
    }

    /// Sends the entry until it is known what has become of it.
    async fn send(&self, token: Token, encoded: EncodedEntry) -> Result<bool, Error> {
        let mut backoff = Backoff::long();
        // Whether one that was sent may have been stored, and replaced since.
        let mut open = false;
        for _ in 0..SENDINGS {
            match self.fill(token, &encoded).await {
                Ok(true) => return Ok(true),
                Ok(false) if open => break,
                Ok(false) => return Ok(false),
                Err(error) if error.is_barred() && !open => return Err(Error::Contended),
                Err(error) if error.is_definite() && !open => return Err(error.into()),
                Err(error) => {
                    self.emit(&Event::Failed(&error));
                    open = true;
                }
            }
            sleep(backoff.next()).await;
        }
        Err(Error::Unconfirmed)
    }

    /// Behind a bar, what was read still stands or goes in a moment: it waits as for a guarded write.
    async fn fill(&self, token: Token, encoded: &EncodedEntry) -> Result<bool, StoreError> {
        let mut backoff = Backoff::contention();
        loop {
            let entry = encoded.entry.clone();
            let sent = self.inner.store.fill(&self.key, token, entry, encoded.life);
            match sent.await {
                Err(error) if error.is_barred() && Instant::now() < self.until => {}
                sent => return sent,
            }
            sleep(backoff.next()).await;
        }
    }

    fn emit(&self, event: &Event<'_>) {
        self.inner.emit(&DIRECT.site, event);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::handle::Cache;
    use crate::store::Watch as _;

    const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

    #[tokio::test]
    async fn what_was_read_across_a_change_of_server_is_read_again() {
        let cache = Cache::builder().url("memory://").build().await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..2 {
            let journal = &cache.inner.journal;
            let update = cache.entry("k").policy(&POLICY).update(|old: Option<u64>| {
                seen.push(old);
                if seen.len() % 2 == 1 {
                    journal.connected(true);
                }
                Ok::<_, Error>(old.unwrap_or(0) + 1)
            });
            update.await.unwrap();
        }
        assert_eq!(seen, [None, None, Some(1), Some(1)]);
    }
}
