//! Loads of many ids behind entries that go on being served: one load for all of them, of which each
//! replaces its own entry, if that still stands. See [`renew`](crate::read::renew) for the same of one.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::{Ids, Item, Request};
use super::fill::{self, Fill};
use super::leases::{Claims, Leases};
use super::{Id, Many, Plan, Reader, Value};
use crate::engine::claim;
use crate::engine::encode::{Encoder, NotStored};
use crate::engine::handle::{self, Inner};
use crate::engine::shape::ErrorSharing;
use crate::engine::tags::{self, Stamps};
use crate::engine::transaction;
use crate::engine::verdict::Verdict;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::observe::status::Status;
use crate::policy::Policy;
use crate::protocol::renewal::Permit;
use crate::read::audit;
use crate::read::load::{Detached, InPlace};
use crate::store::Store as _;
use crate::wire::codec::{Choice, Equal};
use crate::wire::entry::Live;

/// An entry that is served, and is to be loaded anew or to be compared.
pub(crate) struct Renewal<K> {
    request: Request,
    ids: Ids<K>,
    live: Live,
    permit: Option<Permit>,
}

/// What goes on behind the caller.
pub(crate) enum Work<K> {
    Renew(Vec<Renewal<K>>),
    Audit(Vec<Renewal<K>>),
}

impl<K: Clone> Renewal<K> {
    pub(super) fn new(item: &Item<'_, K>, live: &Live) -> Self {
        Self {
            request: item.request.clone(),
            ids: item.ids.clone(),
            live: live.clone(),
            permit: None,
        }
    }

    /// With the right to load it in this process; `None`: somebody does, or what would be loaded is that of
    /// an open transaction.
    pub(super) fn permitted(mut self, inner: &Inner) -> Option<Self> {
        let key = &self.request.key;
        if transaction::is_open() || inner.oversize.rests(key) {
            return None;
        }
        self.permit = Some(inner.renewals.begin(key, self.live.header.token)?);
        Some(self)
    }

    fn item(&self) -> Item<'_, K> {
        Item {
            request: &self.request,
            ids: self.ids.clone(),
        }
    }
}

impl<S, E, C, U, F> Reader<'_, S, E, C, U, F>
where
    S: Many<Stored: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&Value<S>) -> Verdict,
    F: Loads<S, E, C, U>,
{
    /// Loads anew what was answered, and compares, while the caller goes on.
    pub(super) fn go_on_behind(&mut self) {
        let [renewals, audits] = [&mut self.renewals, &mut self.audits].map(mem::take);
        for (work, all) in [(Work::Renew as fn(_) -> _, renewals), (Work::Audit, audits)] {
            if !all.is_empty() {
                self.load.in_background(&self.plan, work(all));
            }
        }
    }

    /// Loads anew what is to be in the caller's place, which then has the new values. Only now it keeps others
    /// in this process from that.
    pub(super) async fn renew_in_place(&mut self) {
        let (mut renewals, mut kept) = (Vec::new(), Vec::new());
        for (renewal, old) in mem::take(&mut self.kept) {
            renewals.extend(renewal.permitted(self.inner));
            kept.push(old);
        }
        let Self { plan, load, .. } = self;
        let loaded = match renewals.is_empty() {
            true => None,
            false => plan.renew(renewals, |ids| load.run(ids)).await,
        };
        let (values, tokens) = loaded.unwrap_or_default();
        for kept in kept {
            match tokens.contains(&kept.live.header.token.number()) {
                true => self.describe(Status::Miss, None),
                false => self.answer(kept),
            }
        }
        self.found.extend(values);
    }
}

impl<S, E, C, U> Plan<'_, S, E, C, U>
where
    S: Many<Stored: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&Value<S>) -> Verdict,
{
    async fn work<L>(&self, work: Work<Id<S>>, load: impl FnOnce(Vec<Id<S>>) -> L)
    where
        L: Future<Output = S::Return>,
    {
        match work {
            Work::Renew(renewals) => drop(self.renew(renewals, load).await),
            Work::Audit(audits) => self.audit(audits, load).await,
        }
    }

    /// Loads and replaces the entries. What was loaded, and the entries that this was loaded for; `None`:
    /// other processes do, it is not to be tried now, or it has failed.
    async fn renew<L>(
        &self,
        mut renewals: Vec<Renewal<Id<S>>>,
        load: impl FnOnce(Vec<Id<S>>) -> L,
    ) -> Option<(S::Ok, HashSet<u128>)>
    where
        L: Future<Output = S::Return>,
    {
        let mut claims = self.claim(&mut renewals).await;
        let mut leases = Leases::new(self.inner);
        let barred = self.stamp(&mut leases, &mut renewals).await;
        claims.let_go(barred.iter().map(|one| &one.request.key));
        if renewals.is_empty() {
            return None;
        }
        renewals.iter().for_each(|_| self.emit(&Event::Renewing));
        let items: Vec<_> = renewals.iter().map(Renewal::item).collect();
        let run = self.run(items.iter(), leases.epoch(), leases.stamps(), load);
        let (result, loaded) = run.await;
        let Ok(values) = result else {
            let throttle = self.inner.settings.throttle;
            let permits = renewals.iter_mut().filter_map(|one| one.permit.as_mut());
            permits.for_each(|permit| permit.rest(throttle));
            claims.failed();
            return None;
        };
        let encoded = self.encoded(&values, items.iter(), &loaded, &leases);
        drop(items);
        let (mut fills, mut discarded) = (Vec::new(), Vec::new());
        let (mut permits, mut tokens) = (Vec::new(), HashSet::new());
        for (renewal, encoded) in renewals.into_iter().zip(encoded) {
            let (key, token) = (renewal.request.key, renewal.live.header.token);
            tokens.insert(token.number());
            let mut permit = renewal.permit;
            match encoded {
                Ok(encoded) => {
                    permit.iter_mut().for_each(Permit::replaced);
                    fills.push(Fill::over(key, token, encoded, None));
                }
                Err(NotStored::Discarded) => discarded.push((key, token)),
                Err(NotStored::Unfit) => permit.iter_mut().for_each(|one| one.rest(claim::TAKEN)),
            }
            permits.push(permit);
        }
        let site = &self.function.site;
        fill::send(
            self.inner,
            site,
            leases,
            fills,
            discarded,
            (claims, permits),
        );
        Some((values, tokens))
    }

    /// Asks for the claims; leaves those that were granted.
    async fn claim(&self, renewals: &mut Vec<Renewal<Id<S>>>) -> Claims {
        let keys = renewals.iter().map(|renewal| &renewal.request.key);
        let (claims, rests) = Claims::ask(self.inner, keys).await;
        let mut rests = rests.into_iter();
        renewals.retain_mut(|renewal| match (rests.next(), &mut renewal.permit) {
            (Some(Ok(None)), _) => true,
            (Some(Ok(Some(time))), Some(permit)) => {
                permit.rest(time);
                false
            }
            (Some(Err(error)), _) => {
                self.emit(&Event::Failed(&error));
                false
            }
            _ => false,
        });
        claims
    }

    /// Reads the tags; takes out those that are barred.
    async fn stamp(
        &self,
        leases: &mut Leases,
        renewals: &mut Vec<Renewal<Id<S>>>,
    ) -> Vec<Renewal<Id<S>>> {
        let tags = |one: &Renewal<_>| tags::keys(self.inner, &one.request.tags, &one.live.entry);
        let all: Vec<_> = renewals.iter().flat_map(tags).collect();
        if let Err(error) = leases.read_tags(self.encoder.policy, all.into_iter()).await {
            self.emit(&Event::Failed(&error));
        }
        let is_barred = |one: &mut Renewal<_>| !leases.stamps().covers(&tags(one));
        renewals.extract_if(.., is_barred).collect()
    }

    /// Loads, and compares with the values what was served.
    async fn audit<L>(&self, audits: Vec<Renewal<Id<S>>>, load: impl FnOnce(Vec<Id<S>>) -> L)
    where
        L: Future<Output = S::Return>,
    {
        let items: Vec<_> = audits.iter().map(Renewal::item).collect();
        let (epoch, stamps) = (self.inner.store.epoch(), Stamps::default());
        let run = self.run(items.iter(), epoch, &stamps, load);
        // An error of the source says nothing of the entries.
        let (Ok(values), _) = run.await else { return };
        for (audit, item) in audits.iter().zip(&items) {
            let loaded = Self::value_of(&values, item).map(S::stored);
            self.compare(item, &audit.live, loaded);
        }
    }

    /// Tells whether what was served is what was loaded.
    pub(super) fn compare(&self, item: &Item<'_, Id<S>>, live: &Live, loaded: Option<&S::Stored>) {
        let same = self.encoder(item).equals(self.codec, live, loaded);
        let place = (&*item.request.key, &item.request.tags);
        audit::audited(self.inner, self.function, place, live, same);
    }
}

/// The user's function, for the ids that it is asked for.
pub(crate) trait Loads<S: Many, E, C, U>: Sized {
    /// Whether it can go on without its caller.
    const DETACHES: bool;

    /// Runs it in the caller's task.
    fn run(&mut self, ids: Vec<Id<S>>) -> impl Future<Output = S::Return>;

    /// Does `work` behind the caller, if it can go on without that.
    fn in_background(&mut self, plan: &Plan<'_, S, E, C, U>, work: Work<Id<S>>);
}

impl<S, E, C, U, F, L> Loads<S, E, C, U> for InPlace<F>
where
    S: Many,
    F: FnMut(Vec<Id<S>>) -> L,
    L: Future<Output = S::Return>,
{
    const DETACHES: bool = false;

    fn run(&mut self, ids: Vec<Id<S>>) -> impl Future<Output = S::Return> {
        (self.0)(ids)
    }

    fn in_background(&mut self, _: &Plan<'_, S, E, C, U>, _: Work<Id<S>>) {}
}

impl<S, E, C, U, F, G, L> Loads<S, E, C, U> for Detached<F>
where
    S: Many<Stored: Serialize + DeserializeOwned> + Send + Sync + 'static,
    S::Ok: Send + 'static,
    S::Error: Send + 'static,
    Id<S>: Send + Sync + 'static,
    E: ErrorSharing<S::Error> + Copy + Send + Sync + 'static,
    C: Choice + Send + Sync + 'static,
    U: Fn(&Value<S>) -> Verdict + Clone + Send + Sync + 'static,
    F: FnMut() -> G,
    G: FnOnce(Vec<Id<S>>) -> L + Send + 'static,
    L: Future<Output = S::Return> + Send + 'static,
{
    const DETACHES: bool = true;

    fn run(&mut self, ids: Vec<Id<S>>) -> impl Future<Output = S::Return> {
        (self.0)()(ids)
    }

    fn in_background(&mut self, plan: &Plan<'_, S, E, C, U>, work: Work<Id<S>>) {
        let (owned, load) = (Owned::of(plan), (self.0)());
        let begun = plan.inner.runtime.work.begin();
        let run = async move {
            owned.plan().work(work, load).await;
            drop(begun);
        };
        plan.inner.runtime.spawn(handle::in_this_scope(run));
    }
}

/// A plan that borrows nothing from its caller.
struct Owned<S: Many, E, C, U> {
    inner: Arc<Inner>,
    function: &'static Function,
    policy: Policy,
    codec: C,
    describes: bool,
    origin: Option<u64>,
    equal: Equal<S::Stored>,
    errors: E,
    verdict: U,
}

impl<S: Many, E: Copy, C: Copy, U: Clone> Owned<S, E, C, U> {
    fn of(plan: &Plan<'_, S, E, C, U>) -> Self {
        Self {
            inner: Arc::clone(plan.inner),
            function: plan.function,
            policy: *plan.encoder.policy,
            codec: plan.codec,
            describes: plan.encoder.describes,
            origin: plan.encoder.origin,
            equal: plan.equal,
            errors: plan.errors,
            verdict: plan.verdict.clone(),
        }
    }

    fn plan(&self) -> Plan<'_, S, E, C, U> {
        Plan {
            inner: &self.inner,
            function: self.function,
            encoder: Encoder {
                inner: &self.inner,
                function: self.function,
                policy: &self.policy,
                describes: self.describes,
                version: None,
                origin: self.origin,
            },
            codec: self.codec,
            equal: self.equal,
            errors: self.errors,
            verdict: &self.verdict,
        }
    }
}
