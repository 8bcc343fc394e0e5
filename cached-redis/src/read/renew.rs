//! Loads behind an entry that goes on being served.
//!
//! Such a load replaces the entry by compare-and-set on its token, so it fills nothing once anything,
//! an invalidation above all, has happened to that entry (o6 of the model; s1 with stale windows).
//! Where the load owns all that it needs, it runs in a [task of its own](crate::read::background) and no
//! caller waits for it. Where it borrows from its caller, that one runs it while the others are served the
//! old value.

use crate::engine::claim::{self, Claim, Claimed};
use crate::engine::encode::EncodedEntry;
use crate::engine::fill::FillRight;
use crate::engine::tags::{Basis, Stamp};
use crate::engine::transaction;
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::protocol::flight::Flight;
use crate::protocol::progress::Landing;
use crate::protocol::renewal::Permit;
use crate::read::reader::Reader;
use crate::store::Store as _;
use crate::wire::entry::Live;

/// The right to replace one entry by what is loaded anew.
pub(crate) struct Renewal {
    live: Live,
    /// Absent until it is asked for. Let go before the flight, whose readers ask for it next.
    claim: Option<Claim>,
    /// Those who wait for the load, if the entry may not be served to them.
    flight: Option<Flight>,
    permit: Option<Permit>,
    /// What the load begins from, once it is claimed.
    pub(crate) basis: Basis,
}

impl Renewal {
    /// Of an entry that others wait for to be replaced.
    pub(crate) fn claimed(flight: Flight, claim: Claim, live: &Live) -> Self {
        Self {
            live: live.clone(),
            flight: Some(flight),
            claim: Some(claim),
            permit: None,
            basis: Basis::default(),
        }
    }

    /// Leaves the entry alone for a moment; `false` where that is not served and others wait.
    pub(crate) fn rest(&mut self) -> bool {
        let permit = self.permit.as_mut();
        permit.map(|permit| permit.rest(claim::TAKEN)).is_some()
    }

    /// What the load may look at.
    pub(crate) fn previous(&self) -> Option<Live> {
        self.basis.carries_on(&self.live).then(|| self.live.clone())
    }
}

impl Reader<'_> {
    /// The right to load `live` anew while it is served, unless somebody does, or what would be loaded is
    /// that of an open transaction. The claim is still to be asked for.
    pub(crate) fn renewal(&self, live: &Live) -> Option<Renewal> {
        let is_kept = !transaction::is_open() && !self.inner.oversize.rests(self.key);
        let permit = is_kept.then(|| self.inner.renewals.begin(self.key, live.header.token));
        let permit = permit.flatten()?;
        // For a caller that is given up while it loads in place; it is counted as a renewal.
        self.describe(Status::Miss, None);
        Some(Renewal {
            live: live.clone(),
            flight: None,
            claim: None,
            permit: Some(permit),
            basis: Basis::default(),
        })
    }

    /// Makes ready to load. `None`: another process does, or it is not to be tried now.
    pub(crate) async fn claim(&self, mut renewal: Box<Renewal>) -> Option<Box<Renewal>> {
        if renewal.claim.is_none() {
            renewal.claim = Some(self.ask(&mut renewal).await?);
        }
        renewal.basis = self.basis(&renewal).await?;
        self.emit(&Event::Renewing);
        Some(renewal)
    }

    async fn ask(&self, renewal: &mut Renewal) -> Option<Claim> {
        let claimed = match Claim::ask(self.inner, self.key).await {
            Ok(Claimed::Granted(claim)) => return Some(claim),
            Ok(claimed) => claimed,
            Err(error) => {
                self.emit(&Event::Failed(&error));
                return None;
            }
        };
        if let (Some(permit), Some(time)) = (&mut renewal.permit, claimed.rest()) {
            permit.rest(time);
        }
        None
    }

    /// What the load begins from; `None` if one of the tags is barred or the store is away.
    async fn basis(&self, renewal: &Renewal) -> Option<Basis> {
        let policy = self.encoder.policy;
        let stamp = Stamp::take(self.inner, self.tags, policy, Some(&renewal.live.entry)).await;
        let stamp = stamp.unwrap_or_else(|error| {
            self.emit(&Event::Failed(&error));
            None
        });
        Some(Basis {
            epoch: renewal.live.header.epoch,
            stamp: stamp?,
        })
    }

    /// The source is to be left alone for a while, here and in other processes.
    pub(crate) fn failed(&self, mut renewal: Renewal) {
        let throttle = self.inner.settings.throttle;
        match &mut renewal.permit {
            Some(permit) => permit.rest(throttle),
            None => self.inner.renewals.rest(self.key, throttle),
        }
        if let Some(claim) = renewal.claim {
            claim.failed(self.inner);
        }
        if let Some(flight) = renewal.flight {
            flight.land(Landing::Again);
        }
    }

    pub(crate) fn replace(&self, mut renewal: Renewal, encoded: EncodedEntry) {
        if let Some(permit) = &mut renewal.permit {
            permit.replaced();
        }
        let right = FillRight::Entry(renewal.live.header.token, renewal.basis);
        let held = (renewal.claim, renewal.permit);
        self.fill(right, renewal.flight, held, encoded).send();
    }

    /// What was loaded is not to be kept, and so the old value is not to be served any longer.
    pub(crate) async fn remove(self, renewal: Renewal) {
        let token = renewal.live.header.token;
        if let Err(error) = self.inner.store.release(self.key, token).await {
            self.emit(&Event::Failed(&error));
        }
        self.inner.journal.changed(self.key);
        drop(renewal.claim);
        if let Some(flight) = renewal.flight {
            flight.land(Landing::Again);
        }
    }
}
