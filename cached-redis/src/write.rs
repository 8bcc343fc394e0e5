//! The write flow: invalidate, put.
//!
//! An invalidation removes the entry *or the lease* under its key. A load that began before it then
//! finds its lease gone and cannot store its result, however late it arrives.
//!
//! Invalidations are sent from tasks of their own. A write that was committed must be seen even if
//! its caller is dropped, because a client hung up, at that very moment. Those that the store does not
//! confirm go on in the [`journal`](crate::journal), before anybody learns that they ended. A write in
//! two phases, which is seen even if its process dies at that moment, is in [`guard`](crate::guard), one
//! that ends with its value in [`through`](crate::through), and what waits for the commit of a
//! transaction in [`after_commit`].

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::yield_now;

use crate::error::StoreError;
use crate::event::Event;
use crate::feed::outbox::{self, Announcement};
use crate::handle::Inner;
use crate::journal::Attempt;
use crate::key::Pattern;
use crate::label::{self, Label};
use crate::lease::{Filled, Lease};
use crate::pack::Packer;
use crate::registry::{DIRECT, Site};
use crate::sent::Sent;
use crate::settings::NOT_ADDITIVE;
use crate::store::Store as _;
use crate::store::many::MOST;
use crate::tag::{Stamp, Tags};
use crate::{Error, Policy, after_commit, codec, matching, sweep};

/// Removes what stands under `keys`, at most [`MOST`], at once: every invalidation, sent or replayed,
/// comes down to this. Where tombstones may stand it spares them, and leaves one for the time of the
/// hold-off.
pub(crate) async fn step(
    inner: &Inner,
    keys: &[String],
    hold_off: Option<Duration>,
) -> Result<(), StoreError> {
    let answer = match inner.journal.is_guarded() {
        true => inner.store.invalidate_guarded(keys, hold_off).await,
        false => inner.store.invalidate(keys).await,
    };
    // Their fills are refused from now on, so nobody should wait for them any more.
    inner.flights.abandon_all(keys);
    answer
}

/// Invalidates `keys`.
pub(crate) async fn invalidate(
    inner: &Arc<Inner>,
    site: &'static Site,
    keys: Vec<String>,
    hold_off: Option<Duration>,
) -> Result<Invalidation, Error> {
    let removal = Removal {
        hold_off,
        ..Removal::of(site, keys, Vec::new())
    };
    send(inner, removal).await
}

/// Sends what is to be removed, in its turn, and says how that went.
pub(crate) async fn send(inner: &Arc<Inner>, removal: Removal) -> Result<Invalidation, Error> {
    match in_turn(inner, removal) {
        Some(sent) => Ok(sent.await),
        None => Ok(Invalidation::Collected),
    }
}

/// Sends what is to be removed from a task of its own, or leaves it to the commit of the transaction
/// that is open here: then `None`.
pub(crate) fn in_turn(inner: &Arc<Inner>, removal: Removal) -> Option<Sent> {
    let removal = after_commit::collect(inner, removal).err()?;
    Some(matching::sent(inner, removal, Vec::new(), None))
}

/// What writes have made outdated, each part with the writer that is counted for it.
#[derive(Clone)]
pub(crate) struct Removal {
    pub(crate) keys: Vec<(String, &'static Site)>,
    pub(crate) patterns: Vec<(Pattern, &'static Site)>,
    /// For keys: it could not be left where nothing stands.
    pub(crate) hold_off: Option<Duration>,
    /// In whose name others are to hear of it, if they are.
    pub(crate) publish: Option<&'static Site>,
}

impl Removal {
    /// The same with more keys of one writer.
    pub(crate) fn with_keys(mut self, keys: &[String], site: &'static Site) -> Self {
        self.keys.extend(keys.iter().map(|key| (key.clone(), site)));
        self
    }

    /// What one writer has made outdated.
    pub(crate) fn of(site: &'static Site, keys: Vec<String>, patterns: Vec<Pattern>) -> Self {
        Self {
            keys: keys.into_iter().map(|key| (key, site)).collect(),
            patterns: patterns.into_iter().map(|it| (it, site)).collect(),
            hold_off: None,
            publish: None,
        }
    }
}

/// How an invalidation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalidation {
    /// The store has confirmed it.
    Done,
    /// The store has not confirmed it; whether it has removed the entry is not known. The
    /// invalidation is kept and replayed until it is confirmed. No read in this process that starts
    /// from now on returns an older value, it runs the function instead. Other processes may, until
    /// the replay, or until the TTL if this process ends before it.
    Deferred,
    /// It is sent at the commit: see [`AfterCommit`](crate::AfterCommit).
    Collected,
}

impl Invalidation {
    /// That of two which belong together: done if both are.
    pub(crate) fn and(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}

/// An invalidation on its way. However it ends, it is not lost: a task that a runtime drops at its
/// shutdown drops this too, before its end, and it is deferred. For runtimes that nobody drives see
/// [`sent`](crate::sent).
pub(crate) struct Sending {
    inner: Arc<Inner>,
    pub(crate) keys: Arc<[String]>,
    /// How many of the keys each writer is counted for.
    shares: Vec<(&'static Site, usize)>,
    hold_off: Option<Duration>,
    /// What others are to hear of it, if they are.
    pub(crate) event: Option<Announcement>,
    ended: bool,
}

impl Sending {
    pub(crate) fn new(
        inner: &Arc<Inner>,
        site: &'static Site,
        keys: Arc<[String]>,
        hold_off: Option<Duration>,
    ) -> Self {
        Self {
            inner: Arc::clone(inner),
            shares: vec![(site, keys.len())],
            keys,
            hold_off,
            event: None,
            ended: false,
        }
    }

    /// Of the keys of several writers.
    pub(crate) fn of(
        inner: &Arc<Inner>,
        keys: Vec<(String, &'static Site)>,
        hold_off: Option<Duration>,
    ) -> Self {
        let mut shares = Vec::<(&Site, usize)>::new();
        for (_, site) in &keys {
            match shares
                .iter_mut()
                .find(|(known, _)| std::ptr::eq(*known, *site))
            {
                Some((_, keys)) => *keys += 1,
                None => shares.push((site, 1)),
            }
        }
        Self {
            inner: Arc::clone(inner),
            keys: keys.into_iter().map(|(key, _)| key).collect(),
            shares,
            hold_off,
            event: None,
            ended: false,
        }
    }

    /// In whose name an event goes out once it is confirmed, if one does.
    pub(crate) fn publishing(mut self, publish: Option<&'static Site>) -> Self {
        self.event = publish.map(|site| Announcement::new(&self.inner, site, &self.keys));
        self
    }

    pub(crate) async fn send(self) -> Invalidation {
        let attempt = self.inner.journal.begin();
        let answer = sweep::remove(&self.inner, &self.keys, Vec::new(), self.hold_off).await;
        self.answered(attempt, answer).await
    }

    /// Ends with what the store has answered.
    pub(crate) async fn answered(
        mut self,
        attempt: Attempt,
        answer: Result<(), StoreError>,
    ) -> Invalidation {
        let confirmed = match answer {
            Ok(()) => self.confirm(attempt).await,
            Err(error) => Err(error),
        };
        self.ended = true;
        let ended = match &confirmed {
            Ok(()) => {
                self.tell(Event::Invalidated);
                Invalidation::Done
            }
            Err(error) => self.defer(attempt, error),
        };
        self.announce().await;
        ended
    }

    /// Settles what is kept of the keys; an error if the server has changed meanwhile.
    async fn confirm(&self, attempt: Attempt) -> Result<(), StoreError> {
        for (at, piece) in self.keys.chunks(MOST).enumerate() {
            // Lets others run before the second piece of many keys, and before each that follows.
            if at > 0 {
                yield_now().await;
            }
            let confirmed = self.inner.journal.confirm(attempt, piece);
            confirmed.ok_or(StoreError::Lost)?;
        }
        Ok(())
    }

    /// To be called at the end: the keys of one that is deferred are in the journal, which this waits for.
    async fn announce(&mut self) {
        if let Some(event) = self.event.take() {
            outbox::publish(&self.inner, event).await;
        }
    }

    /// Ends with the value that was written in the place of what stood there.
    pub(crate) async fn stored(mut self, attempt: Attempt) -> Invalidation {
        self.ended = true;
        let ended = match self.inner.journal.replaced(attempt, &self.keys) {
            true => {
                self.tell(|_| Event::Fill);
                Invalidation::Done
            }
            false => self.defer(attempt, &StoreError::Lost),
        };
        self.announce().await;
        ended
    }

    /// Reads of these keys bypass the cache from here on, so before anybody learns of the end.
    fn defer(&self, attempt: Attempt, error: &StoreError) -> Invalidation {
        if self.inner.journal.keep(attempt, &self.keys, self.hold_off) {
            self.inner.emit(&DIRECT.site, &Event::JournalOverflow);
        }
        self.tell(|keys| Event::Deferred(keys, error));
        self.inner.runtime.tend();
        Invalidation::Deferred
    }

    /// To each writer, for its share of the keys.
    fn tell<'a>(&self, event: impl Fn(usize) -> Event<'a>) {
        for (site, keys) in self.shares.iter().filter(|(_, keys)| *keys > 0) {
            self.inner.emit(site, &event(*keys));
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.ended && !self.keys.is_empty() {
            let attempt = self.inner.journal.begin();
            self.defer(attempt, &StoreError::Unavailable);
            if let Some(event) = self.event.take() {
                outbox::keep(&self.inner, event);
            }
        }
    }
}

/// Refuses a policy under which nothing can be stored.
pub(crate) fn check(inner: &Inner, policy: &Policy) -> Result<(), Error> {
    policy.check("policy")?;
    if inner.settings.lacks_ttl(policy) {
        return Err(Error::setting(
            "policy",
            "no TTL: neither the policy nor the builder gives one",
        ));
    }
    if inner
        .settings
        .schema(policy, &inner.settings.format)
        .is_none()
    {
        return Err(Error::setting("policy", NOT_ADDITIVE));
    }
    Ok(())
}

/// Stores a value that is current now: takes the lease first, so that an invalidation from here on
/// has precedence over it.
pub(crate) async fn put<T>(
    inner: &Arc<Inner>,
    policy: &Policy,
    key: &str,
    label: &Label,
    value: &T,
) -> Result<bool, Error>
where
    T: Serialize + DeserializeOwned,
{
    check(inner, policy)?;
    let Label { tags, version } = match label.fitted(inner, key) {
        Ok(fitted) => fitted,
        Err(reader) => {
            label::unlabelled(inner, &DIRECT.site, reader);
            invalidate(inner, &DIRECT.site, vec![key.to_owned()], None).await?;
            return Ok(false);
        }
    };
    if tags.are_too_many() {
        return Err(Error::setting("tags", "more than an entry can have"));
    }
    if after_commit::is_open() || inner.journal.pass_all(key, tags.keys()).is_none() {
        return Ok(false);
    }
    let Some(lease) = stamped_lease(inner, policy, key, &tags).await? else {
        inner.emit(&DIRECT.site, &Event::Refused);
        return Ok(false);
    };
    let packer = Packer {
        inner,
        function: &DIRECT,
        policy,
        codec: codec::FromCache,
        version,
        origin: None,
    };
    let packed = packer
        .pack(Some(value), None, Duration::ZERO, lease.basis())
        .ok_or(Error::Unstorable)?;
    let size = packed.entry.len();
    let filled = lease.fill(packed.entry, packed.life).await;
    inner.emit(
        &DIRECT.site,
        &match &filled {
            Ok(filled) => Event::filled(*filled),
            Err(error) => inner.not_stored(&DIRECT.site, key, size, error),
        },
    );
    match filled {
        Err(error) if error.is_barred() => Ok(false),
        filled => Ok(filled? == Filled::Stored),
    }
}

/// `None`: the key is barred, or one of its tags is.
async fn stamped_lease(
    inner: &Arc<Inner>,
    policy: &Policy,
    key: &str,
    tags: &Tags,
) -> Result<Option<Lease>, StoreError> {
    let Some(lease) = Lease::seize(inner, key).await? else {
        return Ok(None);
    };
    let stamp = Stamp::take(inner, tags, policy, None).await?;
    Ok(stamp.map(|stamp| lease.stamped(stamp)))
}
