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
//! Everything left of the load is in [`search`](crate::read::search). Wherever the store fails or the time to
//! wait is spent, the function runs without it.
//!
//! The load runs in the caller's own task, so borrowed arguments and `&self` just work. If that
//! caller is dropped, so are its flight and its lease: waiters start over with their own loads.
//!
//! An entry that is to be loaded anew while it is served, or that may be served if a load fails, goes
//! its own way: see [`renew`](crate::read::renew).

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::engine::context::{self, Loading};
use crate::engine::encode::{EncodedEntry, Encoder, Loaded};
use crate::engine::fill::{self, FillRight};
use crate::engine::handle::Inner;
use crate::engine::label::Label;
use crate::engine::lease::Lease;
use crate::engine::mode;
use crate::engine::shape::{ErrorSharing, Shape};
use crate::engine::tags::{self, Basis};
use crate::engine::verdict::Verdict;
use crate::error::{Error, StoreError};
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::policy::Policy;
use crate::protocol::bypass::BypassLoad;
use crate::protocol::flight::{Flight, Landing};
use crate::protocol::freshness::{self, Freshness};
use crate::read::audit;
use crate::read::call::Call;
use crate::read::control::{self, CacheInfo, Mode, Wish};
use crate::read::renew::{Background, Kept, Load, Renewal, Revalidated};
use crate::read::search::{Found, Lookup};
use crate::store::Store as _;
use crate::wire::codec::Choice;
use crate::wire::entry::{Header, Kind, Live};
use crate::wire::extension::WINDOW;
use crate::wire::tag::Tags;

/// What a call runs when there is nothing to serve, and what becomes of its result.
pub(crate) struct Task<U, F> {
    pub(crate) load: F,
    pub(crate) verdict: U,
}

/// Answers a call from the cache, or by its load.
pub(crate) async fn read<S, E, C, U, F>(
    call: Call,
    policy: &Policy,
    shape: S,
    errors: E,
    codec: C,
    task: Task<U, F>,
) -> S::Return
where
    S: Shape<Value: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: FnOnce(&S::Ok) -> Verdict,
    F: Background<S, E, C, U>,
{
    let Some((inner, key)) = asked(&call, policy) else {
        return match context::inside(policy.isolated) {
            None => task.load.run().await,
            Some(inside) => {
                call.carry();
                without_cache(inside, task.load).await
            }
        };
    };
    let encoder = Encoder {
        inner,
        function: call.function,
        policy,
        codec,
        version: call.version,
        origin: call.origin,
    };
    let reader = Reader {
        inner,
        key,
        tags: &call.tags,
        wish: call.wish,
        shape,
        errors,
        encoder,
    };
    let result = match call.wish.mode {
        Mode::Cached if call.mode == mode::Mode::Shadow => Box::pin(reader.shadow(task)).await,
        Mode::Refreshed => Box::pin(reader.refresh(task, false)).await,
        Mode::Cached | Mode::Uncached => reader.find(task).await,
    };
    S::returned(result)
}

/// The cache and the key; `None` when the function shall simply run.
fn asked<'a>(call: &'a Call, policy: &Policy) -> Option<(&'a Arc<Inner>, &'a str)> {
    let (inner, key) = call.target().filter(|_| call.asks())?;
    if inner.settings.is_unfit(policy) {
        let first = call.function.without_policy.first();
        inner.emit(&call.function.site, &Event::NoPolicy(first));
        return None;
    }
    if call.tags.are_too_many() {
        inner.emit(&call.function.site, &Event::TooManyTags);
        return None;
    }
    Some((inner, key))
}

/// Runs the function for a load that it is a part of. Boxed here, so that nobody else has to carry it.
pub(crate) fn without_cache<R, F: Load<R>>(
    inside: Arc<Loading>,
    load: F,
) -> Pin<Box<impl Future<Output = R> + use<R, F>>> {
    Box::pin(async move {
        let flights = Arc::clone(inside.flights());
        let (returned, said) = inside.run(|| load.run()).await;
        said.hand_on(&flights, &Basis::default());
        returned
    })
}

/// The value under `key`, for those who do not load.
pub(crate) async fn peek<T>(inner: &Inner, key: &str, label: &Label) -> Result<Option<T>, Error>
where
    T: Serialize + DeserializeOwned,
{
    let now_ms = inner.store.now_ms();
    let live = look(inner, key, &label.tags).await?.filter(|live| {
        live.header.kind == Kind::Value
            && !freshness::is_past_ttl(&live.header, now_ms)
            && label.fits(live)
    });
    let Some(live) = live else {
        return Ok(None);
    };
    let function = &crate::observe::registry::DIRECT;
    let encoder = Encoder {
        inner,
        function,
        policy: &function.info.policy,
        codec: crate::wire::codec::FromCache,
        version: None,
        origin: None,
    };
    let value = encoder.decode(&live);
    let event = if value.is_some() {
        Event::Hit
    } else {
        Event::Undecodable
    };
    inner.emit(&function.site, &event);
    Ok(value.flatten())
}

/// The entry that stands under `key`; nothing, while its invalidation or that of one of its tags is
/// to be replayed.
async fn look(inner: &Inner, key: &str, tags: &Tags) -> Result<Option<Live>, StoreError> {
    while let Some(pass) = inner.journal.pass_all(key, tags.keys()) {
        let entry = inner.store.get(key).await?;
        let live = match entry.and_then(|entry| live(inner, entry)) {
            Some(live) => tags::alive(inner, tags, live).await?,
            None => None,
        };
        if inner.journal.stands(pass) {
            return Ok(live);
        }
    }
    Ok(None)
}

/// The same for a reader that knows the tags; in one round trip.
pub(crate) async fn standing(
    inner: &Inner,
    key: &str,
    tags: &Tags,
) -> Result<Option<Live>, StoreError> {
    if inner.journal.pass_all(key, tags.keys()).is_none() {
        return Ok(None);
    }
    let (entry, generations) = tags::look(inner, key, tags).await?;
    let Some(live) = entry.and_then(|entry| live(inner, entry)) else {
        return Ok(None);
    };
    let life = generations.judge(inner, tags, &live).await?;
    Ok((life == tags::Life::Alive).then_some(live))
}

fn live(inner: &Inner, entry: Bytes) -> Option<Live> {
    let (header, _) = Header::parse(&entry)?;
    let has_value = matches!(header.kind, Kind::Value | Kind::Negative);
    let is_live = has_value && inner.store.is_current(header.epoch);
    is_live.then_some(Live { header, entry })
}

/// How fresh an entry is for its function. Without an option that asks for its age, one that is
/// not kept beyond its TTL need not be asked.
pub(crate) fn judge<C>(encoder: &Encoder<'_, C>, live: &Live) -> Freshness {
    let Encoder { inner, policy, .. } = encoder;
    let header = &live.header;
    if encoder.version.is_some() && live.version() != encoder.version {
        return Freshness::Dead;
    }
    if !policy.watches_age() && header.flags & WINDOW == 0 {
        return Freshness::Fresh;
    }
    let policy = inner.settings.resolve(policy).unwrap_or(**policy);
    freshness::judge(&policy, header, inner.store.now_ms())
}

/// One read and all it needs to know.
pub(crate) struct Reader<'a, S, E, C> {
    pub(crate) inner: &'a Arc<Inner>,
    pub(crate) key: &'a str,
    pub(crate) tags: &'a Tags,
    pub(crate) wish: Wish,
    pub(crate) shape: S,
    pub(crate) errors: E,
    pub(crate) encoder: Encoder<'a, C>,
}

impl<S, E, C> Reader<'_, S, E, C>
where
    S: Shape<Value: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
{
    /// What runs the load is boxed: the future of a hit stays small, however large the function's is.
    async fn find<U, F>(&self, task: Task<U, F>) -> Result<S::Ok, S::Error>
    where
        U: FnOnce(&S::Ok) -> Verdict,
        F: Background<S, E, C, U>,
    {
        let Encoder {
            function, policy, ..
        } = self.encoder;
        let mut lookup = Lookup::new(self.inner, function, self.key, self.tags, policy);
        // A value past its TTL, for the case that no load succeeds.
        let mut kept: Option<Kept<S::Ok>> = None;
        loop {
            match lookup.next().await {
                Found::Live(live, status) => {
                    let Some(value) = self.encoder.decode(&live).and_then(S::ok) else {
                        lookup.undecodable(live);
                        continue;
                    };
                    let found = Kept { value, live };
                    match self.judge(&found.live) {
                        Freshness::Fresh => {
                            if audit::is_drawn(self.encoder.policy) {
                                F::audit(self.job(task), found.live.clone());
                            }
                            return Ok(self.serve(found, status));
                        }
                        Freshness::Early => {
                            return Ok(Box::pin(self.renew(found, status, task)).await);
                        }
                        Freshness::Revalidate => {
                            return Ok(Box::pin(self.renew(found, Status::Stale, task)).await);
                        }
                        Freshness::IfError if self.inner.renewals.rests(self.key) => {
                            return Ok(self.serve(found, Status::Stale));
                        }
                        Freshness::IfError => {
                            lookup.expired(&found.live, self.policy().soft_timeout);
                            kept = Some(found);
                        }
                        Freshness::Dead => lookup.outdated(found.live),
                    }
                }
                Found::Failed(shared) => {
                    // Another error type under the same key is another function's load: look again.
                    if let Some(error) = self.errors.take(&shared) {
                        self.answered(Status::Joined, None);
                        return Err(error);
                    }
                }
                Found::Lead(flight, lease, previous) => {
                    return Box::pin(self.lead(flight, lease, previous, task)).await;
                }
                Found::Renew(granted) => {
                    let Some(kept) = kept.take() else { continue };
                    let (flight, claim) = *granted;
                    let renewal = Renewal::claimed(flight, claim, &kept.live);
                    return match Box::pin(self.revalidate(renewal, task)).await {
                        Revalidated::Loaded(value) => Ok(value),
                        Revalidated::Failed(error)
                            if !Box::pin(lookup.stands(&kept.live.header)).await =>
                        {
                            Err(error)
                        }
                        Revalidated::Failed(_) | Revalidated::Late => {
                            Ok(self.serve(kept, Status::Stale))
                        }
                    };
                }
                Found::Kept => match kept.take() {
                    Some(kept) if Box::pin(lookup.stands(&kept.live.header)).await => {
                        return Ok(self.serve(kept, Status::Stale));
                    }
                    _ => lookup.lost(),
                },
                Found::Bypass(place) => {
                    return Box::pin(self.load_bypassing(place, task.load)).await;
                }
            }
        }
    }

    /// Loads under a lease and fills.
    async fn lead<U, F>(
        &self,
        flight: Flight,
        lease: Box<Lease>,
        previous: Option<Live>,
        task: Task<U, F>,
    ) -> Result<S::Ok, S::Error>
    where
        U: FnOnce(&S::Ok) -> Verdict,
        F: Load<S::Return>,
    {
        self.answered(Status::Miss, None);
        let previous = previous.filter(|live| self.encoder.is_own(live));
        let (result, loaded) = self.load(task.load, previous).await;
        loaded.said.hand_on(&self.inner.flights, lease.basis());
        match &result {
            Err(error) => {
                drop(lease);
                flight.land(self.failure(error));
            }
            Ok(ok) => match self.encoded(ok, &loaded, lease.basis(), task.verdict) {
                Some(encoded) => {
                    self.describe(Status::Miss, Some(&encoded.header));
                    self.fill(FillRight::Lease(*lease), Some(flight), (), encoded);
                }
                // Not to be kept: those who waited share the next load instead of queueing for leases.
                None => flight.land(Landing::Bypass),
            },
        }
        result
    }

    /// Loads without looking and replaces what stands there, unless that changes meanwhile.
    /// `hit`: the cache would have answered.
    pub(crate) async fn refresh<U, F>(&self, task: Task<U, F>, hit: bool) -> Result<S::Ok, S::Error>
    where
        U: FnOnce(&S::Ok) -> Verdict,
        F: Load<S::Return>,
    {
        let right = Box::pin(FillRight::obtain(
            self.inner,
            self.key,
            self.tags,
            self.encoder.policy,
        ))
        .await;
        let right = right.unwrap_or_else(|error| {
            self.emit(&Event::Away(&error));
            None
        });
        match &right {
            _ if hit => self.emit(&Event::ShadowHit),
            Some(_) => self.answered(Status::Miss, None),
            None => self.answered(Status::Bypass, None),
        }
        let Some(right) = right else {
            return self.load_unstamped(task.load).await.0;
        };
        let (result, loaded) = self.load(task.load, None).await;
        loaded.said.hand_on(&self.inner.flights, right.basis());
        if let Some(encoded) = result
            .as_ref()
            .ok()
            .and_then(|ok| self.encoded(ok, &loaded, right.basis(), task.verdict))
        {
            self.describe(Status::Miss, Some(&encoded.header));
            // Awaited, so that the caller's next read sees it; a panic of the task is no matter of the caller's.
            let _ = self.fill(right, None, (), encoded).await;
        }
        result
    }

    /// Loads without a lease: nothing is stored.
    async fn load_bypassing<F>(&self, place: BypassLoad, load: F) -> Result<S::Ok, S::Error>
    where
        F: Load<S::Return>,
    {
        place.start().await;
        self.answered(Status::Bypass, None);
        let epoch = self.inner.store.epoch();
        let (result, loaded) = self.load_unstamped(load).await;
        let landing = match &result {
            Err(error) => self.failure(error),
            // Who shares it might be a part of a load, which would freeze what is stale.
            Ok(ok) if place.is_shared() && !loaded.said.stale => {
                let basis = Basis::unread(epoch, loaded.said.tags_with(self.tags.keys()));
                let (value, equal) = (S::value(ok), self.shape.equal());
                let encoded = self.encoder.encode(value, equal, loaded.took, &basis);
                encoded.map_or(Landing::Again, |encoded| Landing::Shared(encoded.entry))
            }
            Ok(_) => Landing::Again,
        };
        place.land(landing);
        result
    }

    /// Runs the function without having read the generations of its tags.
    pub(crate) async fn load_unstamped<F>(&self, load: F) -> (Result<S::Ok, S::Error>, Loaded)
    where
        F: Load<S::Return>,
    {
        let flights = &self.inner.flights;
        context::carry(flights, self.tags.keys().iter().cloned());
        let (result, loaded) = self.load(load, None).await;
        loaded.said.hand_on(flights, &Basis::default());
        (result, loaded)
    }

    /// Runs the function; `previous` is what it was asked to replace.
    pub(crate) async fn load<F>(
        &self,
        load: F,
        previous: Option<Live>,
    ) -> (Result<S::Ok, S::Error>, Loaded)
    where
        F: Load<S::Return>,
    {
        let started = Instant::now();
        let previous = previous.map(|live| (live, self.encoder.is_additive()));
        let (isolated, led) = (self.policy().isolated, vec![self.key.to_owned()]);
        let loading = Loading::new(self.inner, isolated, previous, led);
        let (returned, said) = loading.run(|| load.run()).await;
        let took = started.elapsed();
        self.emit(&Event::Loaded(took));
        (S::result(returned), Loaded { took, said })
    }

    /// What those who waited for a load that failed are told.
    fn failure(&self, error: &S::Error) -> Landing {
        let shared = self.errors.share(error);
        shared.map_or(Landing::Again, Landing::Failed)
    }

    /// The entry of a result; `None` if it is not to be stored.
    pub(crate) fn encoded<U>(
        &self,
        ok: &S::Ok,
        loaded: &Loaded,
        basis: &Basis,
        verdict: U,
    ) -> Option<EncodedEntry>
    where
        U: FnOnce(&S::Ok) -> Verdict,
    {
        let verdict = verdict(ok);
        self.encoder.judge(self.shape, ok, loaded, basis, verdict)
    }

    pub(crate) fn fill(
        &self,
        right: FillRight,
        flight: Option<Flight>,
        held: impl Send + 'static,
        encoded: EncodedEntry,
    ) -> JoinHandle<()> {
        let site = &self.encoder.function.site;
        fill::fill(self.inner, site, self.key, right, flight, held, encoded)
    }

    /// What stands there and can be read, and how fresh it is.
    pub(crate) async fn standing(&self) -> Result<Option<(Live, Freshness)>, StoreError> {
        let live = standing(self.inner, self.key, self.tags).await?;
        let live = live.filter(|live| self.encoder.decode::<S::Value>(live).is_some());
        Ok(live.map(|live| {
            let freshness = self.judge(&live);
            (live, freshness)
        }))
    }

    fn judge(&self, live: &Live) -> Freshness {
        judge(&self.encoder, live)
    }

    /// The policy with all that its name and the defaults add.
    pub(crate) fn policy(&self) -> Policy {
        let policy = self.inner.settings.resolve(self.encoder.policy);
        policy.unwrap_or(*self.encoder.policy)
    }

    pub(crate) fn serve(&self, kept: Kept<S::Ok>, status: Status) -> S::Ok {
        if status == Status::Stale {
            context::served_stale();
        }
        self.answered(status, Some(&kept.live.header));
        kept.value
    }

    /// Counts an answer, and describes it to whoever asked. A load is one as soon as it begins: it may
    /// fail, or be given up.
    pub(crate) fn answered(&self, status: Status, header: Option<&Header>) {
        self.emit(&Event::of(status));
        self.describe(status, header);
    }

    /// Describes an answer that has been counted.
    pub(crate) fn describe(&self, status: Status, header: Option<&Header>) {
        if self.wish.info {
            let now_ms = self.inner.store.now_ms();
            control::report(CacheInfo::of(status, self.key, header, now_ms));
        }
    }

    pub(crate) fn emit(&self, event: &Event<'_>) {
        self.inner.emit(&self.encoder.function.site, event);
    }
}
