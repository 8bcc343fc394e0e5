//! Loads behind an entry that goes on being served.
//!
//! Such a load replaces the entry by compare-and-set on its token, so it fills nothing once anything,
//! an invalidation above all, has happened to that entry (o6 of the model; s1 with stale windows).
//! Where the load owns all that it needs, it runs in a task of its own and no caller waits for it
//! ([`Detached`]). Where it borrows from its caller, that one runs it ([`InPlace`]) while the others
//! are served the old value.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::engine::claim::{Claim, Claimed};
use crate::engine::encode::{EncodedEntry, Encoder, Loaded};
use crate::engine::fill::FillRight;
use crate::engine::handle::{self, Inner};
use crate::engine::shape::{ErrorSharing, Shape};
use crate::engine::tags::{Basis, Stamp};
use crate::engine::verdict::Verdict;
use crate::engine::{context, transaction};
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::observe::status::Status;
use crate::policy::Policy;
use crate::protocol::flight::{Flight, Landing};
use crate::protocol::renewal::Permit;
use crate::read::control::Wish;
use crate::read::flow::{Reader, Task};
use crate::store::Store as _;
use crate::util::work::Begun;
use crate::wire::codec::Choice;
use crate::wire::entry::{Header, Live};
use crate::wire::tag::Tags;

/// A value that can be served, and its entry.
pub(crate) struct Kept<T> {
    pub(crate) value: T,
    pub(crate) live: Live,
}

/// The right to replace one entry by what is loaded anew.
pub(crate) struct Renewal {
    live: Live,
    /// Those who wait for the load, if the entry may not be served to them.
    flight: Option<Flight>,
    /// Absent until it is asked for.
    claim: Option<Claim>,
    permit: Option<Permit>,
}

impl Renewal {
    /// Of an entry that is served meanwhile; the claim is still to be asked for.
    fn permitted(permit: Permit, live: &Live) -> Self {
        Self {
            live: live.clone(),
            flight: None,
            claim: None,
            permit: Some(permit),
        }
    }

    /// Of an entry that others wait for to be replaced.
    pub(crate) fn claimed(flight: Flight, claim: Claim, live: &Live) -> Self {
        Self {
            live: live.clone(),
            flight: Some(flight),
            claim: Some(claim),
            permit: None,
        }
    }
}

/// How a load went that its caller waited for.
pub(crate) enum Revalidated<T, E> {
    Loaded(T),
    Failed(E),
    /// It goes on without its caller, whose patience is over.
    Late,
}

/// A reader that borrows nothing from its caller.
pub(crate) struct Owned<S, E, C> {
    inner: Arc<Inner>,
    key: String,
    tags: Tags,
    function: &'static Function,
    policy: Policy,
    codec: C,
    version: Option<u64>,
    origin: Option<u64>,
    shape: S,
    errors: E,
}

impl<S: Copy, E: Copy, C: Copy> Owned<S, E, C> {
    fn reader(&self) -> Reader<'_, S, E, C> {
        Reader {
            inner: &self.inner,
            key: &self.key,
            tags: &self.tags,
            wish: Wish::default(),
            shape: self.shape,
            errors: self.errors,
            encoder: Encoder {
                inner: &self.inner,
                function: self.function,
                policy: &self.policy,
                codec: self.codec,
                version: self.version,
                origin: self.origin,
            },
        }
    }
}

/// A load behind an entry, with all that it needs and without the caller.
pub(crate) struct Job<S, E, C, U, F> {
    reader: Owned<S, E, C>,
    task: Task<U, F>,
    /// Without the caller it is what that leaves behind.
    _work: Option<Begun>,
}

/// How a load behind an entry went.
pub(crate) struct Ran<T, E> {
    result: Result<T, E>,
    /// That of the entry which was made of the result.
    header: Option<Header>,
    /// What the load that its caller is a part of has to be told: only there, not in a task of its own.
    basis: Basis,
    loaded: Loaded,
}

impl<S, E, C, U, F> Job<S, E, C, U, F>
where
    S: Shape<Value: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: FnOnce(&S::Ok) -> Verdict,
    F: Load<S::Return>,
{
    /// Loads and replaces the entry. `None`: another process does, or it is not to be tried now.
    async fn run(self, renewal: Renewal) -> Option<Ran<S::Ok, S::Error>> {
        self.reader.reader().run(renewal, self.task).await
    }

    /// Loads, and compares with the result what was served.
    async fn audit(self, served: Live) {
        self.reader.reader().audit(&served, self.task.load).await;
    }
}

impl<S, E, C, U, F, G> Job<S, E, C, U, Detached<F>>
where
    F: FnOnce() -> G,
{
    /// The same with a load that borrows nothing.
    fn owning(self) -> Job<S, E, C, U, InPlace<G>> {
        let Task { load, verdict } = self.task;
        Job {
            _work: Some(self.reader.inner.runtime.work.begin()),
            reader: self.reader,
            task: Task {
                load: InPlace((load.0)()),
                verdict,
            },
        }
    }
}

impl<S, E, C> Reader<'_, S, E, C>
where
    S: Shape<Value: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
{
    /// Serves `found` and loads it anew behind that, unless somebody does, or what would be loaded is
    /// that of an open transaction.
    pub(crate) async fn renew<U, F>(
        &self,
        found: Kept<S::Ok>,
        status: Status,
        task: Task<U, F>,
    ) -> S::Ok
    where
        F: Background<S, E, C, U>,
    {
        let (renewals, token) = (&self.inner.renewals, found.live.header.token);
        let is_kept = !transaction::is_open() && !self.inner.oversize.rests(self.key);
        let permit = is_kept.then(|| renewals.begin(self.key, token));
        if let Some(permit) = permit.flatten() {
            let renewal = Renewal::permitted(permit, &found.live);
            // For a caller that is given up while it loads in place; it is counted as a renewal.
            self.describe(Status::Miss, None);
            let ran = Box::pin(F::in_background(self.job(task), renewal)).await;
            if let Some(Revalidated::Loaded(value)) = ran.map(|ran| self.ttl_of_value(ran)) {
                return value;
            }
        }
        self.serve(found, status)
    }

    /// Loads anew, and waits for it no longer than the soft timeout says.
    pub(crate) async fn revalidate<U, F>(
        &self,
        renewal: Renewal,
        task: Task<U, F>,
    ) -> Revalidated<S::Ok, S::Error>
    where
        F: Background<S, E, C, U>,
    {
        let patience = self.policy().soft_timeout;
        self.describe(Status::Miss, None);
        let ran = F::within(self.job(task), renewal, patience).await;
        ran.map_or(Revalidated::Late, |ran| self.ttl_of_value(ran))
    }

    fn ttl_of_value(&self, ran: Ran<S::Ok, S::Error>) -> Revalidated<S::Ok, S::Error> {
        ran.loaded.said.hand_on(&self.inner.flights, &ran.basis);
        match ran.result {
            Ok(value) => {
                self.describe(Status::Miss, ran.header.as_ref());
                Revalidated::Loaded(value)
            }
            Err(error) => Revalidated::Failed(error),
        }
    }

    pub(crate) fn job<U, F>(&self, task: Task<U, F>) -> Job<S, E, C, U, F> {
        let reader = Owned {
            inner: Arc::clone(self.inner),
            key: self.key.to_owned(),
            tags: self.tags.clone(),
            function: self.encoder.function,
            policy: *self.encoder.policy,
            codec: self.encoder.codec,
            version: self.encoder.version,
            origin: self.encoder.origin,
            shape: self.shape,
            errors: self.errors,
        };
        Job {
            reader,
            task,
            _work: None,
        }
    }

    async fn run<U, F>(
        &self,
        mut renewal: Renewal,
        task: Task<U, F>,
    ) -> Option<Ran<S::Ok, S::Error>>
    where
        U: FnOnce(&S::Ok) -> Verdict,
        F: Load<S::Return>,
    {
        let claim = self.claim(&mut renewal).await?;
        let basis = self.basis(&renewal).await?;
        self.emit(&Event::Renewing);
        let previous = basis.carries_on(&renewal.live);
        let previous = previous.then(|| renewal.live.clone());
        let (result, loaded) = self.load(task.load, previous).await;
        let encoded = result
            .as_ref()
            .ok()
            .map(|ok| self.encoded(ok, &loaded, &basis, task.verdict));
        let mut header = None;
        match encoded {
            Some(Some(encoded)) => {
                header = Some(encoded.header);
                self.replace(renewal, claim, basis.clone(), encoded);
            }
            Some(None) => self.remove(renewal, claim).await,
            None => self.failed(renewal, claim),
        }
        Some(Ran {
            result,
            header,
            basis,
            loaded,
        })
    }

    /// The claim, asked for if that is still to be done.
    async fn claim(&self, renewal: &mut Renewal) -> Option<Claim> {
        if let Some(claim) = renewal.claim.take() {
            return Some(claim);
        }
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
        let Encoder { inner, policy, .. } = self.encoder;
        let stamp = Stamp::take(inner, self.tags, policy, Some(&renewal.live.entry)).await;
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
    fn failed(&self, mut renewal: Renewal, claim: Claim) {
        let throttle = self.inner.settings.throttle;
        match &mut renewal.permit {
            Some(permit) => permit.rest(throttle),
            None => self.inner.renewals.rest(self.key, throttle),
        }
        claim.failed(self.inner);
        if let Some(flight) = renewal.flight {
            flight.land(Landing::Again);
        }
    }

    fn replace(&self, mut renewal: Renewal, claim: Claim, basis: Basis, encoded: EncodedEntry) {
        if let Some(permit) = &mut renewal.permit {
            permit.replaced();
        }
        let right = FillRight::Entry(renewal.live.header.token, basis);
        let held = (claim, renewal.permit);
        self.fill(right, renewal.flight, held, encoded);
    }

    /// What was loaded is not to be kept, and so the old value is not to be served any longer.
    async fn remove(&self, renewal: Renewal, claim: Claim) {
        if let Err(error) = self
            .inner
            .store
            .release(self.key, renewal.live.header.token)
            .await
        {
            self.emit(&Event::Failed(&error));
        }
        drop(claim);
        if let Some(flight) = renewal.flight {
            flight.land(Landing::Again);
        }
    }
}

/// The user's function, ready to run.
pub(crate) trait Load<R> {
    /// Runs it.
    fn run(self) -> impl Future<Output = R>;
}

/// A load that borrows from its caller, and so runs in its caller's task.
pub(crate) struct InPlace<F>(pub(crate) F);

impl<R, F: FnOnce() -> L, L: Future<Output = R>> Load<R> for InPlace<F> {
    fn run(self) -> impl Future<Output = R> {
        (self.0)()
    }
}

/// A load that can be made to own what it needs, and so to run in a task of its own.
pub(crate) struct Detached<F>(pub(crate) F);

impl<R, F, G, L> Load<R> for Detached<F>
where
    F: FnOnce() -> G,
    G: FnOnce() -> L,
    L: Future<Output = R>,
{
    fn run(self) -> impl Future<Output = R> {
        (self.0)()()
    }
}

/// Where a load runs that its caller need not wait for.
pub(crate) trait Background<S: Shape, E, C, U>: Load<S::Return> + Sized {
    /// Runs it behind the caller. What it gave, if the caller had to run it and it ran.
    fn in_background(
        job: Job<S, E, C, U, Self>,
        renewal: Renewal,
    ) -> impl Future<Output = Option<Ran<S::Ok, S::Error>>>;

    /// Runs it and waits for it no longer than `patience`, if it can go on without the caller.
    fn within(
        job: Job<S, E, C, U, Self>,
        renewal: Renewal,
        patience: Option<Duration>,
    ) -> impl Future<Output = Option<Ran<S::Ok, S::Error>>>;

    /// Runs it to compare its result with what was served, if it can go on without the caller.
    fn audit(job: Job<S, E, C, U, Self>, served: Live);
}

impl<S, E, C, U, F, L> Background<S, E, C, U> for InPlace<F>
where
    S: Shape<Value: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: FnOnce(&S::Ok) -> Verdict,
    F: FnOnce() -> L,
    L: Future<Output = S::Return>,
{
    async fn in_background(
        job: Job<S, E, C, U, Self>,
        renewal: Renewal,
    ) -> Option<Ran<S::Ok, S::Error>> {
        job.run(renewal).await
    }

    async fn within(
        job: Job<S, E, C, U, Self>,
        renewal: Renewal,
        _: Option<Duration>,
    ) -> Option<Ran<S::Ok, S::Error>> {
        job.run(renewal).await
    }

    /// No caller is to pay for it.
    fn audit(_: Job<S, E, C, U, Self>, _: Live) {}
}

impl<S, E, C, U, F, G, L> Background<S, E, C, U> for Detached<F>
where
    S: Shape<Value: Serialize + DeserializeOwned> + Send + Sync + 'static,
    S::Ok: Send + 'static,
    S::Error: Send + 'static,
    E: ErrorSharing<S::Error> + Copy + Send + Sync + 'static,
    C: Choice + Send + Sync + 'static,
    U: FnOnce(&S::Ok) -> Verdict + Send + 'static,
    F: FnOnce() -> G,
    G: FnOnce() -> L + Send + 'static,
    L: Future<Output = S::Return> + Send + 'static,
{
    async fn in_background(
        job: Job<S, E, C, U, Self>,
        renewal: Renewal,
    ) -> Option<Ran<S::Ok, S::Error>> {
        let runtime = job.reader.inner.runtime.clone();
        runtime.spawn(handle::in_this_scope(job.owning().run(renewal)));
        None
    }

    async fn within(
        job: Job<S, E, C, U, Self>,
        renewal: Renewal,
        patience: Option<Duration>,
    ) -> Option<Ran<S::Ok, S::Error>> {
        let Some(patience) = patience else {
            return job.run(renewal).await;
        };
        let runtime = job.reader.inner.runtime.clone();
        let running = context::awaited_here(job.owning().run(renewal));
        let running = runtime.spawn(handle::in_this_scope(running));
        match timeout(patience, running).await.ok()? {
            Ok(ran) => ran,
            // The load has panicked, as it would have in the caller's task; or the runtime ends.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => None,
            },
        }
    }

    fn audit(job: Job<S, E, C, U, Self>, served: Live) {
        let runtime = job.reader.inner.runtime.clone();
        runtime.spawn(handle::in_this_scope(job.owning().audit(served)));
    }
}
