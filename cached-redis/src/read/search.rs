//! From a key to an entry, or to the right to load it.
//!
//! This part of the read flow does not depend on the value's type, so it is compiled once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout_at};

use crate::engine::claim::{Claim, Claimed};
use crate::engine::handle::Inner;
use crate::engine::lease::Lease;
use crate::engine::tags::{self, Generations, Life, Stamp};
use crate::engine::{context, transaction};
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::observe::status::Status;
use crate::policy::Policy;
use crate::protocol::budget::Budget;
use crate::protocol::bypass::{BypassLoad, Bypasses};
use crate::protocol::flight::{Flight, Landing, Place, Seat, SharedError};
use crate::protocol::journal::Pass;
use crate::store::Store as _;
use crate::wire::entry::{Header, Kind, Live, Token};
use crate::wire::tag::Tags;

/// The first pause between two looks at a lease of another process, and the bounds of the last:
/// an eighth of the mean load time, or 8 ms while that is unknown.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const PAUSES: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(32));
const UNKNOWN_PAUSE: Duration = Duration::from_millis(8);

/// Where a search ends.
pub(crate) enum Found {
    /// An entry to decode.
    Live(Live, Status),
    /// The load that this reader waited for failed with an error to share.
    Failed(SharedError),
    /// The right to load; and what is replaced by that, if nothing has happened to it until then.
    Lead(Flight, Box<Lease>, Option<Live>),
    /// The right to load anew what is past its TTL.
    Renew(Box<(Flight, Claim, Live)>),
    /// Nobody else's load is to be waited for any longer, and none to be begun: what the reader holds
    /// is to be served.
    Kept,
    /// The right to load without a lease.
    Alone(BypassLoad),
}

/// Where one round of a search ends.
enum Step {
    Found(Found),
    /// Look again.
    Again,
    /// The time to wait is spent.
    Spent,
    /// The store is away, or the key's invalidation is to be replayed: load without it.
    Bypass,
}

/// The answer to asking for a lease.
enum Asked {
    Granted(Lease, Option<Live>),
    /// A tag is barred: nobody may fill.
    Barred,
    /// What stands there instead.
    Refused(Seen),
}

/// What stands under a key.
pub(crate) enum Seen {
    Absent,
    /// Somebody loads it.
    Leased(Token),
    Live(Live),
    /// What the reader holds already and may serve only if a load fails.
    Expired(Live),
    /// What the reader may not serve, although nobody has invalidated it.
    Outdated(Live),
    /// A tombstone: nobody may fill.
    Barred,
    /// Bytes that are no entry, or none of this type or of this epoch.
    Dead(Bytes),
}

impl Seen {
    /// The bytes that a lease may take the place of.
    fn entry(&self) -> Option<&Bytes> {
        match self {
            Self::Dead(entry) => Some(entry),
            Self::Outdated(live) => Some(&live.entry),
            _ => None,
        }
    }

    /// The live entry with tags that have to be read.
    pub(crate) fn tagged(&self) -> Option<&Live> {
        match self {
            Self::Live(live) if live.header.is_tagged() => Some(live),
            _ => None,
        }
    }

    /// What `entry`, found under a key of `function`, is to a reader.
    pub(crate) fn of(inner: &Inner, function: &Function, entry: Option<Bytes>) -> Self {
        let Some(entry) = entry else {
            return Self::Absent;
        };
        let header = Header::parse(&entry).map(|(header, _)| header);
        match header {
            Some(header) => match header.kind {
                // What it shows may have been invalidated on a server that is gone.
                Kind::Value | Kind::Negative if !inner.store.is_current(header.epoch) => {
                    Self::Dead(entry)
                }
                Kind::Value | Kind::Negative => Self::Live(Live { header, entry }),
                // One of another epoch as well: its load runs, and what it stores will be dead.
                Kind::Lease => Self::Leased(header.token),
                Kind::Tombstone => Self::Barred,
            },
            None => {
                inner.emit(&function.site, &Event::Undecodable);
                Self::Dead(entry)
            }
        }
    }
}

/// One reader's search.
pub(crate) struct Seek<'a> {
    inner: &'a Arc<Inner>,
    function: &'static Function,
    key: &'a str,
    tags: &'a Tags,
    /// What tells its tags from those of others who read the same key.
    cover: u64,
    policy: &'a Policy,
    /// What was found last and cannot be served as it is.
    unusable: Option<Seen>,
    /// Whether the reader holds a value past its TTL, which is better than to wait in vain.
    holds: bool,
    /// How long it waits for others.
    budget: Budget,
    /// What this round's looks are good for.
    pass: Pass,
}

impl<'a> Seek<'a> {
    pub(crate) fn new(
        inner: &'a Arc<Inner>,
        function: &'static Function,
        key: &'a str,
        tags: &'a Tags,
        policy: &'a Policy,
    ) -> Self {
        Self {
            inner,
            function,
            key,
            tags,
            cover: tags.cover(),
            policy,
            unusable: None,
            holds: false,
            budget: Budget::new(inner.settings.wait),
            pass: Pass::default(),
        }
    }

    /// What was found last could not be decoded: replace it.
    pub(crate) fn undecodable(&mut self, live: Live) {
        self.emit(&Event::Undecodable);
        self.unusable = Some(Seen::Dead(live.entry));
    }

    /// What was found last is too old, or of another version of the source: replace it.
    pub(crate) fn outdated(&mut self, live: Live) {
        self.unusable = Some(Seen::Outdated(live));
    }

    /// What was found last is past its TTL. The reader holds its value and serves it if no load
    /// succeeds in time.
    pub(crate) fn expired(&mut self, live: Live, patience: Option<Duration>) {
        let patience = patience.unwrap_or(self.inner.settings.wait);
        self.holds = true;
        self.budget.begin_with(patience);
        self.unusable = Some(Seen::Expired(live));
    }

    /// The value that the reader held is gone: it waits for a load as everybody does.
    pub(crate) fn lost(&mut self) {
        self.holds = false;
        self.budget = Budget::new(self.inner.settings.wait);
    }

    /// Whether the entry with this header still stands, and is not to be invalidated either.
    pub(crate) async fn stands(&self, header: &Header) -> bool {
        let seen = self.look().await;
        matches!(seen, Ok(Seen::Live(live)) if live.header.token == header.token)
            && self.inner.journal.pass(self.key).is_some()
    }

    /// Goes on until there is something for the caller to do.
    pub(crate) async fn next(&mut self) -> Found {
        loop {
            let step = match self.step().await {
                Step::Spent if self.holds => return Found::Kept,
                Step::Spent | Step::Bypass => match self.alone() {
                    Place::Lead(load) => return Found::Alone(load),
                    Place::Seat(seat) => match seat.landing_for(self.inner, self.tags).await {
                        Some(landing) => self.landed(landing),
                        None => return Found::Alone(BypassLoad::apart(self.key)),
                    },
                },
                step => step,
            };
            if let Step::Found(found) = step {
                return found;
            }
        }
    }

    /// Where it loads without a lease.
    fn alone(&mut self) -> Place<BypassLoad> {
        let came = self.budget.seat();
        Bypasses::place(self.inner, self.function, self.key, came)
    }

    /// Whether what is loaded now is to be kept, and others' loads are to be waited for. Not in a
    /// transaction, for which they may wait; not inside of a load of this very key; nor for a while after
    /// it could not be kept by anybody.
    fn is_kept(&self) -> bool {
        !transaction::is_open()
            && !self.inner.oversize.rests(self.key)
            && !context::leads(self.inner, self.key)
    }

    async fn step(&mut self) -> Step {
        match self.inner.journal.pass_all(self.key, self.tags.keys()) {
            Some(pass) => self.pass = pass,
            None => return self.barred(),
        }
        let seen = match self.unusable.take() {
            Some(seen) => seen,
            None => {
                // Joining needs no look of one's own: the fill, if it wins, comes later than this.
                match self.inner.flights.join(self.key, self.cover) {
                    Some(seat) if self.is_kept() => return self.sit(seat).await,
                    _ => {}
                }
                match self.look().await {
                    Ok(Seen::Live(live)) => return self.live(live),
                    Ok(Seen::Barred) => return Step::Bypass,
                    Ok(seen) => seen,
                    Err(error) => return self.failed(&error),
                }
            }
        };
        if !self.is_kept() {
            return Step::Bypass;
        }
        let flights = &self.inner.flights;
        let place = match seen {
            Seen::Expired(_) => flights.enter_beside(self.key, self.cover),
            _ => flights.enter(self.key, self.cover),
        };
        match place {
            Place::Lead(flight) => Box::pin(self.contend(flight, seen)).await,
            Place::Seat(seat) => self.sit(seat).await,
        }
    }

    /// Waits in somebody else's flight, as long as the wait budget lasts.
    async fn sit(&mut self, seat: Seat) -> Step {
        // Past its load a flight only waits for its fill, and this reader will look for itself.
        let until = if seat.loads {
            self.wait()
        } else {
            Instant::now() + self.inner.settings.wait
        };
        match timeout_at(until, seat.landing_for(self.inner, self.tags)).await {
            Ok(Some(landing)) => self.landed(landing),
            Ok(None) | Err(_) => Step::Spent,
        }
    }

    fn landed(&self, landing: Landing) -> Step {
        match landing {
            Landing::Shared(entry) => match self.seen(Some(entry)) {
                Seen::Live(live) => Step::Found(Found::Live(live, Status::Joined)),
                _ => Step::Again,
            },
            Landing::Failed(error) => Step::Found(Found::Failed(error)),
            Landing::Again => Step::Again,
            Landing::Bypass => Step::Spent,
        }
    }

    /// Leads this key in this process: asks for the lease, or watches the one that another process
    /// holds. Dropping the flight on the way lets the others here start over.
    async fn contend(&mut self, flight: Flight, mut seen: Seen) -> Step {
        let mut pause = Pause::new(self.inner.counters(&self.function.site).mean_load());
        let end = loop {
            let next = match seen {
                Seen::Live(live) => return self.live(live),
                Seen::Barred => break Step::Bypass,
                Seen::Leased(_) if Instant::now() >= self.wait() => break Step::Spent,
                Seen::Leased(_) => {
                    sleep(pause.next()).await;
                    self.look().await
                }
                Seen::Expired(held) => match Claim::ask(self.inner, self.key).await {
                    Ok(Claimed::Granted(claim)) => {
                        flight.begin();
                        return Step::Found(Found::Renew(Box::new((flight, claim, held))));
                    }
                    Ok(Claimed::Rests(time)) => {
                        self.inner.renewals.rest(self.key, time);
                        flight.land(Landing::Again);
                        return Step::Spent;
                    }
                    Ok(Claimed::Taken) if Instant::now() >= self.wait() => break Step::Spent,
                    Ok(Claimed::Taken) => {
                        sleep(pause.next()).await;
                        self.look_past(held).await
                    }
                    Err(error) => Err(error),
                },
                Seen::Absent | Seen::Dead(_) | Seen::Outdated(_) => {
                    match self.acquire(seen).await {
                        Ok(Asked::Granted(lease, previous)) => {
                            flight.begin();
                            return Step::Found(Found::Lead(flight, Box::new(lease), previous));
                        }
                        Ok(Asked::Barred) => break Step::Bypass,
                        Ok(Asked::Refused(seen)) => Ok(seen),
                        Err(error) => Err(error),
                    }
                }
            };
            seen = match next {
                Ok(seen) => seen,
                Err(error) => break self.failed(&error),
            };
        };
        // Those who joined need not find out for themselves.
        flight.land(Landing::Bypass);
        end
    }

    async fn acquire(&self, over: Seen) -> Result<Asked, StoreError> {
        let lease = Lease::new(self.inner, self.key);
        let (store, life) = (&self.inner.store, self.inner.settings.lease);
        let standing = match over.entry() {
            Some(entry) => match store
                .acquire_over(self.key, entry.clone(), lease.entry(), life)
                .await?
            {
                true => None,
                false => Some(self.look().await?),
            },
            None => match store.acquire(self.key, lease.entry(), life).await? {
                None => None,
                Some(entry) => Some(self.standing(entry).await?),
            },
        };
        match standing {
            None => self.stamped(lease.granted(), over).await,
            // The command was sent twice, and the first one was granted.
            Some(Seen::Leased(token)) if token == lease.token() => {
                self.stamped(lease.granted(), over).await
            }
            Some(seen) => {
                lease.refused();
                Ok(Asked::Refused(seen))
            }
        }
    }

    /// What stands there by an answer that did not show the generations of its tags.
    async fn standing(&self, entry: Bytes) -> Result<Seen, StoreError> {
        let has_tags = |live: &Live| !self.tags.is_empty() || live.header.is_tagged();
        match self.seen(Some(entry)) {
            Seen::Live(live) if has_tags(&live) => self.look().await,
            seen => Ok(seen),
        }
    }

    /// The generations of the tags have to be known before the load begins.
    async fn stamped(&self, lease: Lease, over: Seen) -> Result<Asked, StoreError> {
        let before = over.entry().map(|entry| &**entry);
        let stamp = Stamp::take(self.inner, self.tags, self.policy, before);
        // Boxed like all that hits have no part in: it would add to the size of every read.
        let Some(stamp) = Box::pin(stamp).await? else {
            return Ok(Asked::Barred);
        };
        let lease = lease.stamped(stamp);
        let previous = match over {
            Seen::Outdated(live) => lease.basis().carries_on(&live).then_some(live),
            _ => None,
        };
        Ok(Asked::Granted(lease, previous))
    }

    async fn look(&self) -> Result<Seen, StoreError> {
        let (entry, generations) = tags::look(self.inner, self.key, self.tags).await?;
        if matches!(generations, Generations::Barred) {
            return Ok(Seen::Barred);
        }
        let live = match self.seen(entry) {
            Seen::Live(live) => live,
            seen => return Ok(seen),
        };
        Ok(
            match generations.judge(self.inner, self.tags, &live).await? {
                Life::Alive => Seen::Live(live),
                Life::Barred => Seen::Barred,
                Life::Dead => {
                    self.emit(&Event::Outdated);
                    Seen::Dead(live.entry)
                }
            },
        )
    }

    /// What stands there, if it is another entry than the one that is held.
    async fn look_past(&self, held: Live) -> Result<Seen, StoreError> {
        Ok(match self.look().await? {
            Seen::Live(live) if live.header.token == held.header.token => Seen::Expired(held),
            seen => seen,
        })
    }

    fn seen(&self, entry: Option<Bytes>) -> Seen {
        Seen::of(self.inner, self.function, entry)
    }

    /// Until when this reader waits for others, counted from its first wait.
    fn wait(&mut self) -> Instant {
        if self.budget.begin() {
            self.emit(&Event::Wait);
        }
        self.budget.end()
    }

    /// A read that had to wait was answered by another one's load.
    fn live(&self, live: Live) -> Step {
        if !self.inner.journal.stands(self.pass) {
            return Step::Again;
        }
        let status = if self.budget.has_begun() {
            Status::Joined
        } else {
            Status::Hit
        };
        Step::Found(Found::Live(live, status))
    }

    /// The key's invalidation is to be replayed, by a task that has to be there.
    fn barred(&self) -> Step {
        self.inner.runtime.tend();
        Step::Bypass
    }

    fn failed(&self, error: &StoreError) -> Step {
        self.emit(&Event::Away(error));
        Step::Bypass
    }

    fn emit(&self, event: &Event<'_>) {
        self.inner.emit(&self.function.site, event);
    }
}

/// The pauses between looks: doubling up to a cap, each with a jitter of a half.
pub(crate) struct Pause {
    next: Duration,
    cap: Duration,
}

impl Pause {
    pub(crate) fn new(mean_load: Option<Duration>) -> Self {
        let cap = mean_load.map_or(UNKNOWN_PAUSE, |load| (load / 8).clamp(PAUSES.0, PAUSES.1));
        Self {
            next: FIRST_PAUSE,
            cap,
        }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next.mul_f64(0.5 + fastrand::f64());
        self.next = (self.next * 2).min(self.cap);
        pause
    }
}

#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Watch as _;

    #[test]
    fn pauses_double_to_the_cap_with_a_jitter_of_a_half() {
        let mut pause = Pause::new(Some(Duration::from_millis(80)));
        for expected in [2, 4, 8, 10, 10, 10] {
            let expected = Duration::from_millis(expected);
            let got = pause.next();
            assert!(
                got >= expected / 2 && got <= expected * 3 / 2,
                "{got:?} around {expected:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_entry_seen_across_a_change_of_server_is_looked_up_again() {
        let builder = crate::engine::handle::Cache::builder().url("memory://");
        let inner = builder.build().await.unwrap().inner;
        let entry = Bytes::copy_from_slice(&Header::lease(Token::next()));
        let (header, _) = Header::parse(&entry).unwrap();
        let (tags, policy) = (Tags::default(), Policy::new());
        let mut seek = Seek::new(
            &inner,
            &crate::observe::registry::DIRECT,
            "k",
            &tags,
            &policy,
        );
        seek.pass = inner.journal.pass("k").unwrap();
        let live = || Live {
            header,
            entry: entry.clone(),
        };
        assert!(matches!(seek.live(live()), Step::Found(_)));
        inner.journal.connected(true);
        assert!(matches!(seek.live(live()), Step::Again));
    }

    #[tokio::test]
    async fn what_was_outdated_is_handed_to_the_load_only_if_it_stood_until_the_lease() {
        const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
        for invalidated in [None, Some("app:k"), Some("app:#tag:a")] {
            let cache = crate::engine::handle::Cache::builder()
                .url("memory://")
                .build();
            let cache = cache.await.unwrap();
            let inner = &cache.inner;
            let tags = Tags::named("app", ["a"]);
            cache.tagged(["a"]).put(&POLICY, "k", &1_u64).await.unwrap();
            let mut seek = Seek::new(
                inner,
                &crate::observe::registry::DIRECT,
                "app:k",
                &tags,
                &POLICY,
            );
            let Found::Live(live, _) = seek.next().await else {
                panic!("it was put");
            };
            seek.outdated(live);
            if let Some(key) = invalidated {
                inner.store.invalidate(&[key.to_owned()]).await.unwrap();
            }
            let Found::Lead(_, _, previous) = seek.next().await else {
                panic!("nobody else loads");
            };
            assert_eq!(previous.is_some(), invalidated.is_none(), "{invalidated:?}");
        }
    }

    #[test]
    fn the_cap_follows_the_load_time_within_bounds() {
        let cap = |load: Option<u64>| Pause::new(load.map(Duration::from_millis)).cap;
        assert_eq!(cap(None), Duration::from_millis(8));
        assert_eq!(cap(Some(1)), Duration::from_millis(4));
        assert_eq!(cap(Some(10_000)), Duration::from_millis(32));
    }
}
