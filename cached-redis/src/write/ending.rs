//! The end of a write in two phases: its keys are opened again, or its value takes the place of its tombstone.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::engine::encode::EncodedEntry;
use crate::engine::remove;
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::protocol::journal::{Attempt, Hold};
use crate::store::{Answer, Errand, Put, Store as _};
use crate::write::attempt::Sending;
use crate::write::dispatch::Sent;
use crate::write::guarded::GuardedWrite;
use crate::write::invalidation::Invalidation;
use crate::write::step::{SentStep, Work};

/// See the module.
pub(crate) struct Ending {
    write: Arc<GuardedWrite>,
    /// The invalidation that it is at least.
    pub(crate) sending: Sending,
    hold_off: Option<Duration>,
    written: Option<EncodedEntry>,
    /// That of the caller: what it waits for must not live where nothing may be driven.
    runtime: Handle,
}

/// What an end leaves to be done.
enum Left {
    /// Nothing: it has removed what there was, or replaced it.
    Confirmed(Put),
    /// To remove it all, as one thing.
    Removal,
}

impl Ending {
    pub(crate) fn new(
        write: &Arc<GuardedWrite>,
        sending: Sending,
        written: Option<EncodedEntry>,
    ) -> Self {
        Self {
            write: Arc::clone(write),
            hold_off: sending.hold_off(),
            sending,
            written,
            runtime: write.inner.runtime.here_or_home(),
        }
    }

    /// Sends it, whatever becomes of the caller.
    pub(crate) fn sent(self) -> Sent {
        let store = &self.write.inner.store;
        let is_step = self.sending.is_quiet() && self.is_plain() && store.takes(self.errand());
        match is_step {
            true => SentStep::new(Work::End(Box::new(self)), None).into(),
            false => self.in_a_task(&mut None),
        }
    }

    /// All of it.
    fn in_a_task(self, hold: &mut Option<Hold>) -> Sent {
        let (write, runtime) = (Arc::clone(&self.write), self.runtime.clone());
        left_to(runtime, &write, self.run(), hold)
    }

    /// Whether nothing speaks against its value, if it has one.
    fn is_plain(&self) -> bool {
        let written = self.written.as_ref();
        written.is_none_or(|written| self.may_put(written.header.epoch))
    }

    /// The step that it is, unless something speaks against its value.
    pub(crate) fn errand(&self) -> Errand<'_> {
        let (keys, token) = (self.write.keys(), self.write.token);
        match (keys, &self.written) {
            ([key], Some(written)) => Errand::Put(key, token, &written.entry, written.life),
            _ => Errand::End(keys, token, self.hold_off),
        }
    }

    /// That step has ended: how all has, or what is left to wait for, which bars the keys then.
    pub(crate) fn told(
        self,
        attempt: Attempt,
        answer: Answer<i64>,
        hold: &mut Option<Hold>,
    ) -> Result<Invalidation, Sent> {
        let ended = match self.written {
            Some(_) => self.put_ended(answer.and_then(Put::of)),
            None => answer.map(ended),
        };
        if ended.as_ref().is_err_and(StoreError::is_to_be_repeated) {
            return Err(self.in_a_task(hold));
        }
        let size = self.size();
        match self.left(&ended) {
            Left::Confirmed(Put::Stored) => Ok(self.sending.replaced(attempt, size)),
            Left::Confirmed(_) => Ok(self.sending.told(attempt, Ok(()))),
            Left::Removal => {
                let rest = self.sending.send();
                Err(left_to(self.runtime, &self.write, rest, hold))
            }
        }
    }

    async fn run(self) -> Invalidation {
        let attempt = self.write.inner.journal.begin();
        let ended = match &self.written {
            Some(written) => self.put(written).await,
            None => self.open(self.hold_off).await,
        };
        let size = self.size();
        match self.left(&ended) {
            Left::Confirmed(Put::Stored) => self.sending.stored(attempt, size).await,
            Left::Confirmed(_) => self.sending.answered(attempt, Ok(())).await,
            Left::Removal => self.sending.send().await,
        }
    }

    fn left(&self, ended: &Answer<Put>) -> Left {
        let (inner, keys) = (&self.write.inner, self.write.keys());
        if !matches!(ended, Ok(Put::Stored | Put::Ended)) {
            self.write.lapsed(ended.is_ok());
        }
        match ended {
            // What was stored meanwhile goes as one thing.
            Ok(_) if self.write.has_lapsed() && !remove::are_together(inner, keys) => Left::Removal,
            Ok(ended) => {
                // Loads that began before the tombstone stood cannot be stored any more.
                inner.flights.abandon_all(keys);
                Left::Confirmed(*ended)
            }
            // The hold runs out by itself; the invalidation goes the way of all others.
            Err(_) => Left::Removal,
        }
    }

    async fn open(&self, hold_off: Option<Duration>) -> Answer<Put> {
        let (store, token) = (&self.write.inner.store, self.write.token);
        let stood = store.end(self.write.keys(), token, hold_off).await?;
        Ok(ended(stood.into()))
    }

    /// Ends with the value, unless something speaks against it.
    async fn put(&self, written: &EncodedEntry) -> Answer<Put> {
        let (write, inner) = (&self.write, &self.write.inner);
        let put = match write.keys() {
            [key] if self.may_put(written.header.epoch) => {
                let (entry, life) = (written.entry.clone(), written.life);
                inner.store.put(key, write.token, entry, life).await
            }
            _ => self.open(None).await,
        };
        match put {
            Err(error @ StoreError::TooLarge) => {
                let key = write.keys().first().map_or("", String::as_str);
                let event = inner.not_stored(write.site, key, self.size(), &error);
                inner.emit(write.site, &event);
                self.open(None).await
            }
            // The bars of its slot are not where it is.
            Err(error) if error.is_apart() => self.put_ended(self.open(None).await),
            put => self.put_ended(put),
        }
    }

    fn put_ended(&self, put: Answer<Put>) -> Answer<Put> {
        let (write, inner) = (&self.write, &self.write.inner);
        let is_current = |written: &EncodedEntry| {
            let epoch = write.keys().first().map(|key| inner.store.epoch(key));
            epoch == Some(written.header.epoch)
        };
        match put {
            Ok(Put::Stored) if !self.written.as_ref().is_some_and(is_current) => {
                Err(StoreError::Lost)
            }
            Ok(Put::Ended | Put::Lapsed) => {
                inner.emit(write.site, &Event::Refused);
                put
            }
            put => put,
        }
    }

    fn may_put(&self, epoch: u32) -> bool {
        let (write, inner) = (&self.write, &self.write.inner);
        let is_good =
            |key: &String| inner.store.epoch(key) == epoch && inner.journal.pass(key).is_some();
        matches!(write.keys(), [key] if !write.has_lapsed() && is_good(key))
    }

    fn size(&self) -> usize {
        let size = |written: &EncodedEntry| written.entry.len();
        self.written.as_ref().map_or(0, size)
    }
}

/// A task there, which bars the keys from now on.
fn left_to<F>(runtime: Handle, write: &GuardedWrite, rest: F, hold: &mut Option<Hold>) -> Sent
where
    F: Future<Output = Invalidation> + Send + 'static,
{
    Sent::within(runtime, rest, &write.inner, write.parcel(), hold.take())
}

/// Whether the writer was still there.
fn ended(stood: i64) -> Put {
    match stood {
        1 => Put::Ended,
        _ => Put::Lapsed,
    }
}
