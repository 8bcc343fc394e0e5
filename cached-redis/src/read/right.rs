//! The right to load, and what becomes of what is loaded.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::engine::context::{self, Loading, Said};
use crate::engine::encode::{EncodedEntry, Loaded, NotStored};
use crate::engine::fill::FillRight;
use crate::engine::lease::Lease;
use crate::engine::plan::Outcome;
use crate::engine::tags::{Basis, Stamp};
use crate::observe::event::Event;
use crate::observe::span::LoadSpan;
use crate::observe::status::Status;
use crate::policy::Policy;
use crate::protocol::bypass::BypassLoad;
use crate::protocol::flight::Flight;
use crate::protocol::progress::{Landing, SharedError};
use crate::read::audit;
use crate::read::call::Call;
use crate::read::reader::Reader;
use crate::read::renew::Renewal;
use crate::store::Store as _;
use crate::util::boxed::Boxed;
use crate::wire::codec::Format;
use crate::wire::entry::Live;

/// What lets a read load. Dropped, it is given back.
pub(crate) enum Right {
    /// To fill what others wait for; and what is replaced by that, if nothing had happened to it until then.
    Lease(Box<Lease>, Flight, Option<Live>),
    /// To replace whatever stands there, unless that changes meanwhile.
    Fill(FillRight),
    /// To replace an entry that is served meanwhile, or if this fails.
    Renewal(Box<Renewal>),
    /// To load without a lease, for others as well.
    Bypass(BypassLoad),
    /// The same for this caller alone. The entry is what the cache has served, or would have, if that is to
    /// be compared.
    Unstored(Option<Live>),
}

/// A load that runs.
pub(crate) struct Running<'a> {
    /// `None` outside of a load, without a cache.
    pub(crate) loading: Option<Arc<Loading>>,
    own: Option<Own<'a>>,
}

/// A load of the cache's own.
struct Own<'a> {
    reader: Reader<'a>,
    right: Right,
    started: Instant,
    /// That of the store.
    epoch: u32,
}

/// A load that has ended.
#[derive(Default)]
pub(crate) struct Settled<'a> {
    /// What is left to wait for.
    pub(crate) rest: Option<Boxed<'a, ()>>,
    pub(crate) told: Option<Box<Told>>,
}

/// What the caller is told who waits for a renewal in a task of its own.
pub(crate) struct Told {
    /// The one that was made of the result.
    entry: Option<Bytes>,
    basis: Basis,
    said: Said,
}

impl<'a> Running<'a> {
    /// Begins a load that the cache has no part in, but maybe the load that it is a part of.
    pub(crate) fn without_cache(call: &Call, policy: &Policy) -> Self {
        let loading = context::inside(policy.isolated);
        if loading.is_some() {
            call.carry();
        }
        Self { loading, own: None }
    }

    /// The codec of the cache.
    pub(crate) fn format(&self) -> Format {
        let format = |own: &Own<'_>| own.reader.inner.settings.format;
        self.own.as_ref().map(format).unwrap_or_default()
    }

    /// What it is in a trace; without a cache it is nothing.
    pub(crate) fn span(&self) -> LoadSpan {
        let span = |own: &Own<'_>| LoadSpan::of(own.reader.encoder.function.site.name);
        self.own.as_ref().map(span).unwrap_or_default()
    }

    /// Ends it.
    pub(crate) fn settle(self, outcome: Outcome<'_>) -> Settled<'a> {
        let Some(loading) = self.loading else {
            return Settled::default();
        };
        let said = loading.heard();
        match self.own {
            Some(own) => own.settle(said, outcome),
            None => {
                said.hand_on(loading.flights(), &Stamp::default());
                Settled::default()
            }
        }
    }
}

impl Told {
    /// Tells it to the load that the caller is a part of, and to whoever asked.
    pub(crate) fn tell(&self, reader: &Reader<'_>, is_ok: bool) {
        self.said.hand_on(&reader.inner.flights, &self.basis.stamp);
        if is_ok {
            reader.describe(Status::Miss, self.entry.as_ref());
        }
    }
}

impl<'a> Reader<'a> {
    /// Begins the load of `right`.
    pub(crate) fn begin(self, right: Right) -> Box<Running<'a>> {
        match &right {
            Right::Lease(..) => self.answered(Status::Miss, None),
            Right::Bypass(_) => self.answered(Status::Bypass, None),
            Right::Fill(_) | Right::Renewal(_) | Right::Unstored(_) => {}
        }
        if matches!(right, Right::Bypass(_) | Right::Unstored(_)) {
            // Their generations are not read.
            context::carry(&self.inner.flights, self.tags.keys().iter().cloned());
        }
        let (started, epoch) = (Instant::now(), self.inner.store.epoch(self.key));
        let previous = self.previous(&right);
        let previous = previous.map(|live| (live, self.encoder.is_additive()));
        // Only the option of an attribute says so, so no other policy is asked.
        let (isolated, led) = (self.encoder.policy.isolated, vec![self.key.to_owned()]);
        let loading = Some(Loading::new(self.inner, isolated, previous, led));
        let own = Own {
            reader: self,
            right,
            started,
            epoch,
        };
        Box::new(Running {
            loading,
            own: Some(own),
        })
    }

    /// What the load is to replace, if it may look at that.
    fn previous(&self, right: &Right) -> Option<Live> {
        match right {
            Right::Lease(_, _, previous) => {
                previous.clone().filter(|live| self.encoder.is_own(live))
            }
            Right::Renewal(renewal) => renewal.previous(),
            _ => None,
        }
    }

    /// The right to load without looking, and to replace what stands there unless that changes meanwhile.
    /// `hit`: the cache would have answered.
    pub(crate) async fn obtain(self, hit: bool) -> Right {
        let policy = self.encoder.policy;
        let right = FillRight::obtain(self.inner, self.key, self.tags, policy).await;
        let right = right.unwrap_or_else(|error| {
            self.emit(&Event::Away(&error));
            None
        });
        match &right {
            _ if hit => self.emit(&Event::ShadowHit),
            Some(_) => self.answered(Status::Miss, None),
            None => self.answered(Status::Bypass, None),
        }
        right.map_or(Right::Unstored(None), Right::Fill)
    }
}

impl<'a> Own<'a> {
    fn settle(self, said: Said, outcome: Outcome<'_>) -> Settled<'a> {
        let took = self.started.elapsed();
        let failed = matches!(outcome, Outcome::Failed(_));
        self.reader.emit(&Event::Loaded { took, failed });
        let loaded = Loaded { took, said };
        let (reader, flights) = (self.reader, &self.reader.inner.flights);
        match self.right {
            Right::Lease(lease, flight, _) => {
                loaded.said.hand_on(flights, &lease.basis().stamp);
                reader.lead(flight, lease, &loaded, outcome);
                Settled::default()
            }
            Right::Fill(right) => {
                loaded.said.hand_on(flights, &right.basis().stamp);
                let rest = reader.refresh(right, &loaded, outcome);
                Settled { rest, told: None }
            }
            Right::Renewal(renewal) => reader.renewed(*renewal, loaded, outcome),
            Right::Bypass(place) => {
                loaded.said.hand_on(flights, &Stamp::default());
                let landing = reader.bypass(&place, self.epoch, &loaded, outcome);
                place.land(landing);
                Settled::default()
            }
            Right::Unstored(served) => {
                loaded.said.hand_on(flights, &Stamp::default());
                if let (Some(served), Outcome::Value { stored, .. }) = (served, outcome) {
                    let place = (reader.key, reader.tags);
                    let same = reader.encoder.equals(&served, stored);
                    let function = reader.encoder.function;
                    audit::audited(reader.inner, function, place, &served, same);
                }
                Settled::default()
            }
        }
    }
}

impl<'a> Reader<'a> {
    /// The lease is let go before the flight, whose readers ask for it next.
    fn lead(self, flight: Flight, lease: Box<Lease>, loaded: &Loaded, outcome: Outcome<'_>) {
        if let Outcome::Failed(error) = outcome {
            drop(lease);
            return flight.land(failure(error.share()));
        }
        match self.encoded(&outcome, loaded, lease.basis()) {
            Ok(encoded) => {
                self.describe(Status::Miss, Some(&encoded.entry));
                let right = FillRight::Lease(*lease);
                self.fill(right, Some(flight), (), encoded).send();
            }
            // Not to be kept: those who waited share the next load instead of queueing for leases.
            Err(_) => flight.land(Landing::Bypass),
        }
    }

    fn refresh(
        self,
        right: FillRight,
        loaded: &Loaded,
        outcome: Outcome<'_>,
    ) -> Option<Boxed<'a, ()>> {
        let encoded = self.encoded(&outcome, loaded, right.basis()).ok()?;
        self.describe(Status::Miss, Some(&encoded.entry));
        let task = self.fill(right, None, (), encoded).spawn();
        // Awaited, so that the caller's next read sees it; a panic of the task is no matter of the caller's.
        Some(Box::pin(async { drop(task.await) }))
    }

    fn renewed(self, mut renewal: Renewal, loaded: Loaded, outcome: Outcome<'_>) -> Settled<'a> {
        let encoded = self.encoded(&outcome, &loaded, &renewal.basis);
        let told = Told {
            entry: encoded.as_ref().ok().map(|encoded| encoded.entry.clone()),
            basis: renewal.basis.clone(),
            said: loaded.said,
        };
        let is_ok = matches!(outcome, Outcome::Value { .. });
        told.tell(&self, is_ok);
        let rest: Option<Boxed<'a, ()>> = match encoded {
            Ok(encoded) => {
                self.replace(renewal, encoded);
                None
            }
            Err(NotStored::Unfit | NotStored::TooManyTags) if is_ok && renewal.rest() => None,
            Err(_) if is_ok => Some(Box::pin(self.remove(renewal))),
            Err(_) => {
                self.failed(renewal);
                None
            }
        };
        let told = Some(Box::new(told));
        Settled { rest, told }
    }

    /// What those get who have joined a load without a lease.
    fn bypass(
        self,
        place: &BypassLoad,
        epoch: u32,
        loaded: &Loaded,
        outcome: Outcome<'_>,
    ) -> Landing {
        match outcome {
            Outcome::Failed(error) => failure(error.share()),
            // Who shares it might be a part of a load, which would freeze what is stale.
            Outcome::Value { stored, .. } if place.is_shared() && !loaded.said.stale => {
                let basis = Basis::unread(epoch, loaded.said.tags_with(self.tags.keys()));
                let encoded = self.encoder.encode(stored, loaded.took, &basis);
                encoded.map_or(Landing::Again, |encoded| Landing::Shared(encoded.entry))
            }
            Outcome::Value { .. } => Landing::Again,
        }
    }

    /// The entry of a result.
    fn encoded(
        &self,
        outcome: &Outcome<'_>,
        loaded: &Loaded,
        basis: &Basis,
    ) -> Result<EncodedEntry, NotStored> {
        match outcome {
            Outcome::Failed(_) => Err(NotStored::Unfit),
            Outcome::Value { stored, judge } => {
                let verdict = judge.verdict();
                self.encoder.judge(*stored, loaded, basis, verdict)
            }
        }
    }
}

/// What those who waited for a load that failed are told.
fn failure(shared: Option<SharedError>) -> Landing {
    shared.map_or(Landing::Again, Landing::Failed)
}
