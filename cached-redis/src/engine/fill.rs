//! The fill, and what it is conditional on.
//!
//! A result may be stored only while nothing has happened to its key since before its load began.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
#[cfg(feature = "testing")]
use serde_json::json;

use crate::engine::encode::EncodedEntry;
use crate::engine::handle::Inner;
use crate::engine::lease::Lease;
use crate::engine::tags::{Basis, Stamp};
use crate::engine::transaction;
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::Site;
use crate::observe::status::Filled;
use crate::policy::Policy;
use crate::protocol::flight::Flight;
use crate::protocol::read::{AllRules, Fill, Sent};
use crate::store::{Answer, Store as _};
use crate::wire::entry::{Header, Kind, Token};
use crate::wire::tag::Tags;

/// What a fill is conditional on.
pub(crate) enum FillRight {
    /// The entry that stood there when the load began, whose epoch the new one carries on.
    Entry(Token, Basis),
    /// A lease.
    Lease(Lease),
}

impl FillRight {
    /// For a load that starts now whatever stands there: an entry goes on being served meanwhile;
    /// anything else, another load's lease too, gives way. `None`: the cache is to be bypassed, or a
    /// tombstone stands, and nobody may fill; nor may who loads inside of an open transaction.
    pub(crate) async fn obtain(
        inner: &Arc<Inner>,
        key: &str,
        tags: &Tags,
        policy: &Policy,
    ) -> Answer<Option<Self>> {
        let is_kept = !transaction::is_open() && !inner.oversize.rests(key);
        if !is_kept || inner.journal.pass_all(key, tags.keys()).is_none() {
            return Ok(None);
        }
        let entry = inner.store.get(key).await?;
        let header = entry
            .as_ref()
            .and_then(|entry| Header::parse(entry))
            .map(|(header, _)| header);
        let right = match header {
            Some(header)
                if matches!(header.kind, Kind::Value | Kind::Negative)
                    && inner.store.is_current(key, header.epoch) =>
            {
                Self::Entry(header.token, Basis::of(header.epoch))
            }
            _ => match Lease::seize(inner, key).await? {
                Some(lease) => Self::Lease(lease),
                None => return Ok(None),
            },
        };
        let stamp = Stamp::take(inner, tags, policy, entry.as_deref()).await?;
        Ok(stamp.map(|stamp| right.stamped(stamp)))
    }

    /// The load has ended: nothing keeps a lease alive any longer.
    pub(super) fn loaded(&mut self) {
        if let Self::Lease(lease) = self {
            lease.stop_heartbeat();
        }
    }

    fn stamped(self, stamp: Stamp) -> Self {
        match self {
            Self::Entry(token, basis) => Self::Entry(token, Basis { stamp, ..basis }),
            Self::Lease(lease) => Self::Lease(lease.stamped(stamp)),
        }
    }

    /// What an entry filled by this right says of its load.
    pub(crate) fn basis(&self) -> &Basis {
        match self {
            Self::Entry(_, basis) => basis,
            Self::Lease(lease) => lease.basis(),
        }
    }

    /// What carries this token may be replaced.
    pub(crate) fn token(&self) -> Token {
        match self {
            Self::Entry(token, _) => *token,
            Self::Lease(lease) => lease.token(),
        }
    }

    /// Why a fill behind it is refused.
    pub(crate) fn refusal(&self) -> Filled {
        match self {
            Self::Entry(..) => Filled::Overtaken,
            Self::Lease(lease) => lease.refusal(),
        }
    }

    /// An entry has taken the place of what it stands for.
    pub(crate) fn replaced(self) {
        if let Self::Lease(lease) = self {
            lease.replaced();
        }
    }

    /// Whether the server is still the one that the load began with.
    pub(super) fn is_current(&self, inner: &Inner, key: &str) -> bool {
        inner.store.epoch(key) == self.basis().epoch
    }

    /// Stores `entry` if what it stands for is still there.
    pub(crate) async fn fill(
        mut self,
        inner: &Inner,
        key: &str,
        entry: Bytes,
        life: Duration,
    ) -> Answer<Filled> {
        self.loaded();
        if !self.is_current(inner, key) && matches!(self, Self::Lease(_)) {
            return Ok(Filled::Overtaken);
        }
        let won = inner.store.fill(key, self.token(), entry, life).await;
        if let (Self::Entry(token, _), Err(StoreError::TooLarge)) = (&self, &won) {
            // What was loaded is not kept, and what it was to replace is older.
            inner.store.release(key, *token).await?;
            inner.journal.changed(key);
        }
        self.filled(inner, key, won)
    }

    /// What it is when the store has answered whether it won. That may have been a new server, where what it stands for
    /// is although it was invalidated.
    pub(super) fn filled(self, inner: &Inner, key: &str, won: Answer<bool>) -> Answer<Filled> {
        let filled = match (won?, self.is_current(inner, key)) {
            (true, true) => Filled::Stored,
            (true, false) => Filled::Overtaken,
            (false, _) => self.refusal(),
        };
        self.replaced();
        Ok(filled)
    }
}

/// Before a fill is sent: who comes from here on must look for itself.
pub(crate) fn close(flight: &Flight) {
    if Fill::new(&AllRules) == Fill::Close {
        flight.close();
    }
}

/// Tells what became of a fill that was sent; what comes next.
pub(crate) fn sent(
    inner: &Inner,
    site: &Site,
    key: &str,
    answer: &Result<Filled, StoreError>,
    encoded: &EncodedEntry,
) -> Fill {
    let tagged = !encoded.basis.stamp.is_empty();
    let size = encoded.entry.len();
    let (event, sent) = match answer {
        // Who waited has to load once more, with the tags that this one names.
        Ok(Filled::Stored) if encoded.is_marker => (Event::Marked, Sent::Marked),
        Ok(Filled::Stored) => (Event::Fill(size), Sent::Stored { tagged }),
        Ok(refused) => (Event::filled(*refused, size), Sent::Refused),
        Err(error) => (inner.not_stored(site, key, size, error), Sent::Failed),
    };
    if let Ok(Filled::Stored) = answer {
        inner.journal.changed(key);
    }
    inner.emit(site, &event);
    let fill = Fill::sent(&AllRules, sent);
    #[cfg(feature = "testing")]
    inner.trace(
        key,
        || json!({"Sent": {"key": key, "sent": sent, "fill": fill}}),
    );
    fill
}

/// Lands the flights of fills that were sent.
pub(crate) async fn land(inner: &Inner, ends: Vec<(Flight, Fill, EncodedEntry)>) {
    let is_reread = |step: &Fill| *step == Fill::Reread;
    let waits = |(flight, step, _): &(Flight, Fill, _)| is_reread(step) && flight.is_joined();
    let read = ends.iter().any(waits);
    let reread = ends.iter().filter(|(_, step, _)| read && is_reread(step));
    let bases: Vec<_> = reread.map(|(.., encoded)| &encoded.basis).collect();
    let mut same = Basis::stand(inner, &bases).await.into_iter();
    for (flight, step, encoded) in ends {
        let same = is_reread(&step) && same.next() == Some(true);
        flight.land(step.landing(same, encoded.entry));
    }
}
