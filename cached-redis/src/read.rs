//! The read flow: hit, miss, wait, load, fill.
//!
//! ```text
//! look ── value ─────────────────────────────────────────────► hit
//!  │ ▲
//!  │ └──── start over ◄── somebody else's load ended ◄── wait ◄─┐
//!  ▼                                                            │
//! nothing, or nothing usable ── enter the flight ── a seat ─────┘
//!                                  │ the lead
//!                                  ▼
//!                    acquire ── granted ──► load ──► fill
//!                       ▲ └── another process has it: wait and look again
//! ```
//!
//! Everything left of the load is in [`seek`](crate::seek). Wherever the store fails or the time to
//! wait is spent, the function runs without it.
//!
//! The load runs in the caller's own task, so borrowed arguments and `&self` just work. If that
//! caller is dropped, so are its flight and its lease: waiters start over with their own loads.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::bypass::BypassLoad;
use crate::call::Call;
use crate::codec::Choice;
use crate::control::{self, CacheInfo, Mode, Status, Wish};
use crate::entry::{Header, Kind, Live};
use crate::error::StoreError;
use crate::event::Event;
use crate::fence::{self, Fence};
use crate::flight::{Flight, Landing};
use crate::handle::Inner;
use crate::lease::Lease;
use crate::pack::{Packed, Packer};
use crate::seek::{Found, Seek};
use crate::shape::{ErrorSharing, Shape};
use crate::store::Store as _;
use crate::{Error, Policy};

/// The `unless` of functions that have none.
pub fn never<T>(_: &T) -> bool {
    false
}

/// Answers a call from the cache, or by its load.
pub(crate) async fn read<S, E, C, U, F, L>(
    call: Call,
    policy: &Policy,
    _shape: S,
    errors: E,
    codec: C,
    unless: U,
    load: F,
) -> S::Return
where
    S: Shape<Value: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error>,
    C: Choice,
    U: FnOnce(&S::Ok) -> bool,
    F: FnOnce() -> L,
    L: Future<Output = S::Return>,
{
    let Some((inner, key)) = call.target() else {
        return load().await;
    };
    if inner.settings.lacks_ttl(policy) {
        let first = call.function.without_policy.first();
        inner.emit(&call.function.site, &Event::NoPolicy(first));
        return load().await;
    }
    let packer = Packer {
        inner,
        function: call.function,
        policy,
        codec,
    };
    let reader = Reader {
        inner,
        key,
        wish: call.wish,
        errors,
        packer,
    };
    let result = match call.wish.mode {
        Mode::Cached => reader.find::<S, U, F, L>(load, unless).await,
        Mode::Refreshed => reader.refresh::<S, U, F, L>(load, unless).await,
        Mode::Uncached => return load().await,
    };
    S::returned(result)
}

/// The value under `key`, for those who do not load.
pub(crate) async fn peek<T: DeserializeOwned>(
    inner: &Inner,
    key: &str,
) -> Result<Option<T>, Error> {
    let Some(entry) = look(inner, key).await? else {
        return Ok(None);
    };
    let header = Header::parse(&entry).map(|(header, _)| header);
    let Some(header) = header.filter(|header| header.kind == Kind::Value) else {
        return Ok(None);
    };
    if !inner.store.is_current(header.epoch) {
        return Ok(None);
    }
    let function = &crate::registry::DIRECT;
    let packer = Packer {
        inner,
        function,
        policy: &function.info.policy,
        codec: crate::codec::FromCache,
    };
    let value = packer.unpack(&Live { header, entry });
    let event = if value.is_some() {
        Event::Hit
    } else {
        Event::Undecodable
    };
    inner.emit(&function.site, &event);
    Ok(value.flatten())
}

/// What stands under `key`; nothing, while its invalidation is to be replayed.
async fn look(inner: &Inner, key: &str) -> Result<Option<Bytes>, StoreError> {
    while let Some(pass) = inner.journal.pass(key) {
        let entry = inner.store.get(key).await?;
        if inner.journal.stands(pass) {
            return Ok(entry);
        }
    }
    Ok(None)
}

/// One read and all it needs to know.
struct Reader<'a, E, C> {
    inner: &'a Arc<Inner>,
    key: &'a str,
    wish: Wish,
    errors: E,
    packer: Packer<'a, C>,
}

impl<E, C: Choice> Reader<'_, E, C> {
    async fn find<S, U, F, L>(&self, load: F, unless: U) -> Result<S::Ok, S::Error>
    where
        S: Shape<Value: Serialize + DeserializeOwned>,
        E: ErrorSharing<S::Error>,
        U: FnOnce(&S::Ok) -> bool,
        F: FnOnce() -> L,
        L: Future<Output = S::Return>,
    {
        let mut seek = Seek::new(self.inner, self.packer.function, self.key);
        loop {
            match seek.next().await {
                Found::Live(live, status) => match self.packer.unpack(&live).and_then(S::ok) {
                    Some(ok) => {
                        self.answered(status, &live.header);
                        return Ok(ok);
                    }
                    None => seek.undecodable(live),
                },
                Found::Failed(shared) => {
                    // Another error type under the same key is another function's load: look again.
                    if let Some(error) = self.errors.take(&shared) {
                        self.emit(&Event::Joined);
                        return Err(error);
                    }
                }
                Found::Lead(flight, lease) => {
                    return self.lead::<S, U, F, L>(flight, lease, load, unless).await;
                }
                Found::Alone(place) => return self.load_alone::<S, F, L>(place, load).await,
            }
        }
    }

    /// Loads under a lease and fills.
    async fn lead<S, U, F, L>(
        &self,
        flight: Flight,
        lease: Lease,
        load: F,
        unless: U,
    ) -> Result<S::Ok, S::Error>
    where
        S: Shape<Value: Serialize + DeserializeOwned>,
        E: ErrorSharing<S::Error>,
        U: FnOnce(&S::Ok) -> bool,
        F: FnOnce() -> L,
        L: Future<Output = S::Return>,
    {
        self.emit(&Event::Miss);
        let (result, took) = self.load::<S, F, L>(load).await;
        match &result {
            Err(error) => {
                drop(lease);
                flight.land(
                    self.errors
                        .share(error)
                        .map_or(Landing::Again, Landing::Failed),
                );
            }
            Ok(ok) => match self.packed::<S, U>(ok, took, lease.epoch(), unless) {
                Some(packed) => {
                    self.answered(Status::Miss, &packed.header);
                    // Before the fill is sent: who comes from here on must look for itself.
                    flight.close();
                    self.fill(Fence::Lease(lease), Some(flight), packed);
                }
                // Not to be kept: those who waited share the next load instead of queueing for leases.
                None => flight.land(Landing::Bypass),
            },
        }
        result
    }

    /// Loads without looking and replaces what stands there, unless that changes meanwhile.
    async fn refresh<S, U, F, L>(&self, load: F, unless: U) -> Result<S::Ok, S::Error>
    where
        S: Shape<Value: Serialize + DeserializeOwned>,
        U: FnOnce(&S::Ok) -> bool,
        F: FnOnce() -> L,
        L: Future<Output = S::Return>,
    {
        let fence = Fence::raise(self.inner, self.key).await;
        let fence = fence.unwrap_or_else(|error| {
            self.emit(&Event::Failed(&error));
            None
        });
        let Some(fence) = fence else {
            self.emit(&Event::Bypass);
            return self.load::<S, F, L>(load).await.0;
        };
        self.emit(&Event::Miss);
        let (result, took) = self.load::<S, F, L>(load).await;
        if let Some(packed) = result
            .as_ref()
            .ok()
            .and_then(|ok| self.packed::<S, U>(ok, took, fence.epoch(), unless))
        {
            self.answered(Status::Miss, &packed.header);
            // Awaited, so that the caller's next read sees it; a panic of the task is no matter of the caller's.
            let _ = self.fill(fence, None, packed).await;
        }
        result
    }

    /// Loads without a lease: nothing is stored.
    async fn load_alone<S, F, L>(&self, place: BypassLoad, load: F) -> Result<S::Ok, S::Error>
    where
        S: Shape<Value: Serialize + DeserializeOwned>,
        E: ErrorSharing<S::Error>,
        F: FnOnce() -> L,
        L: Future<Output = S::Return>,
    {
        place.start().await;
        self.emit(&Event::Bypass);
        let epoch = self.inner.store.epoch();
        let (result, took) = self.load::<S, F, L>(load).await;
        let landing = match &result {
            Err(error) => self
                .errors
                .share(error)
                .map_or(Landing::Again, Landing::Failed),
            Ok(ok) if place.is_shared() => {
                let packed = self.packer.pack(S::value(ok), took, epoch);
                packed.map_or(Landing::Again, |packed| Landing::Shared(packed.entry))
            }
            Ok(_) => Landing::Again,
        };
        place.land(landing);
        result
    }

    /// Runs the function.
    async fn load<S, F, L>(&self, load: F) -> (Result<S::Ok, S::Error>, Duration)
    where
        S: Shape,
        F: FnOnce() -> L,
        L: Future<Output = S::Return>,
    {
        let started = Instant::now();
        let returned = load().await;
        let took = started.elapsed();
        self.emit(&Event::Loaded(took));
        (S::result(returned), took)
    }

    fn packed<S, U>(&self, ok: &S::Ok, took: Duration, epoch: u32, unless: U) -> Option<Packed>
    where
        S: Shape<Value: Serialize + DeserializeOwned>,
        U: FnOnce(&S::Ok) -> bool,
    {
        if unless(ok) {
            return None;
        }
        self.packer.pack(S::value(ok), took, epoch)
    }

    fn fill(&self, fence: Fence, flight: Option<Flight>, packed: Packed) -> JoinHandle<()> {
        let site = &self.packer.function.site;
        fence::fill(self.inner, site, self.key, fence, flight, packed)
    }

    /// Counts an answer, and describes it to whoever asked.
    fn answered(&self, status: Status, header: &Header) {
        match status {
            Status::Hit => self.emit(&Event::Hit),
            Status::Joined => self.emit(&Event::Joined),
            Status::Miss | Status::Bypass => {}
        }
        if self.wish.info {
            control::report(CacheInfo::of(
                status,
                self.key,
                header,
                self.inner.store.now_ms(),
            ));
        }
    }

    fn emit(&self, event: &Event<'_>) {
        self.inner.emit(&self.packer.function.site, event);
    }
}
