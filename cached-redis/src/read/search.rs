//! From a key to an entry, or to the right to load it: takes the steps that
//! [`Search`](crate::protocol::read::Search) names.
//!
//! This part of the read flow does not depend on the value's type, so it is compiled once.

use std::mem;
use std::sync::Arc;

use crate::engine::claim::Claim;
use crate::engine::handle::Inner;
use crate::engine::lease::Lease;
use crate::engine::source::Source;
use crate::engine::tags::{self, Generations};
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::observe::status::Status;
use crate::policy::Policy;
use crate::protocol::budget::Budget;
use crate::protocol::bypass::BypassLoad;
use crate::protocol::flight::{Flight, Seat};
use crate::protocol::journal::Pass;
use crate::protocol::progress::SharedError;
use crate::protocol::read::{self, Search, Step};
use crate::read::local;
use crate::read::pause::Pause;
use crate::read::trace::Run;
use crate::store::Store as _;
use crate::wire::entry::Live;
use crate::wire::tag::Tags;

mod contend;
mod glance;
mod held;
mod seen;

pub(crate) use glance::Glance;
pub(crate) use seen::Over;

/// Where a search ends.
pub(crate) enum Found {
    /// An entry to decode.
    Live(Live, Status),
    /// The load that this reader waited for failed with an error to share.
    Failed(SharedError),
    /// The right to load; and what is replaced by that, if nothing has happened to it until then.
    Lead(Flight, Box<Lease>, Option<Live>),
    /// The right to load anew what is past its TTL.
    Renew(Box<(Flight, Claim)>),
    /// Nobody else's load is to be waited for any longer, and none to be begun: what the reader holds
    /// is to be served.
    Kept,
    /// The right to load without a lease.
    Bypass(BypassLoad),
}

/// How far a search comes that waits for nothing.
pub(crate) enum Hit {
    /// To a look at what stands under the key.
    Look,
    /// An entry to decode.
    Live(Live, Status),
    /// There is more to do than to look.
    Nothing,
}

pub(crate) type Seen = read::Seen<Live, Over>;
pub(crate) type Answer = read::Answer<Live, Over, SharedError>;
pub(crate) type At = Step<Live, Over, SharedError>;

/// One reader's search.
pub(crate) struct Lookup<'a> {
    inner: &'a Arc<Inner>,
    function: &'static Function,
    key: &'a str,
    tags: &'a Tags,
    policy: &'a Policy,
    source: Source<'a>,
    local: Local,
    pub(crate) search: Search<Live, Over, SharedError>,
    /// The entry past its TTL that the reader holds.
    held: Option<Box<Live>>,
    /// Its seat, while it waits in a load of others.
    seat: Option<Seat>,
    /// How long it waits for others.
    pub(crate) budget: Budget,
    /// Whether it has not looked, and takes nothing to stand there.
    guesses: bool,
    /// What this round's looks are good for.
    pass: Pass,
    run: Run,
}

/// What the level in process memory has to say, which is asked once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Local {
    Unasked,
    Nothing,
    Answers,
}

/// What a search comes by that finds no entry.
#[derive(Default)]
pub(crate) struct Rights {
    pub(crate) flight: Option<Flight>,
    lease: Option<Lease>,
    claim: Option<Claim>,
    pub(crate) place: Option<BypassLoad>,
    pause: Option<Pause>,
}

impl<'a> Lookup<'a> {
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
            policy,
            source: Source::of(inner, policy),
            local: Local::Unasked,
            search: Search::new(),
            held: None,
            seat: None,
            budget: Budget::new(inner.settings.wait),
            guesses: false,
            pass: Pass::default(),
            run: Run::default(),
        }
    }

    /// What was found last could not be decoded: replace it.
    pub(crate) fn undecodable(&mut self, live: Live) {
        self.emit(&Event::Undecodable);
        self.unusable(Seen::replaceable(live, |live| Over::Dead(live.entry)));
    }

    fn unusable(&mut self, seen: Seen) {
        // Whatever is served in its place, the level has no part in it.
        self.local = Local::Nothing;
        self.search.unusable(seen);
    }

    /// What was found last is too old, or of another version of the source: replace it.
    pub(crate) fn outdated(&mut self, live: Live) {
        self.unusable(Seen::replaceable(live, Over::Outdated));
    }

    /// Where it looks.
    pub(crate) fn source(&self) -> &Source<'a> {
        &self.source
    }

    /// The entry that the level in process memory has, for one of many.
    pub(crate) fn local(&mut self) -> Option<Live> {
        let is_first = mem::replace(&mut self.local, Local::Nothing) == Local::Unasked;
        let asked = is_first.then_some(&self.source);
        let live = local::entry(asked?, self.key, self.tags)?;
        self.local = Local::Answers;
        Some(Arc::unwrap_or_clone(live))
    }

    /// Takes the steps that wait for nothing, on the way to an entry to decode.
    pub(crate) fn hit(&mut self) -> Hit {
        loop {
            let answer = match self.search.step() {
                Step::Join => self.join(),
                Step::Look { leads: false } if self.expects_nothing() => {
                    self.guesses = true;
                    self.answer(Seen::Absent)
                }
                Step::Look { leads: false } => return Hit::Look,
                Step::Serve(_) => return self.served(),
                _ => return Hit::Nothing,
            };
            self.next_step(answer);
        }
    }

    /// Goes on with what was seen.
    pub(crate) fn saw(&mut self, seen: Result<Seen, StoreError>) {
        let answer = self.looked(seen, false);
        self.next_step(answer);
    }

    fn served(&mut self) -> Hit {
        match self.found(Rights::default()) {
            Found::Live(live, status) => Hit::Live(live, status),
            _ => Hit::Nothing,
        }
    }

    fn next_step(&mut self, answer: Answer) -> Option<read::Landing<Live, SharedError>> {
        self.run
            .next(self.inner, self.key, &mut self.search, answer)
    }

    fn found(&mut self, rights: Rights) -> Found {
        rights.flight.iter().for_each(Flight::begin);
        match (self.search.end(), rights.flight, rights.lease, rights.claim) {
            (Step::Serve(live), ..) => {
                let status = self.status(&live);
                Found::Live(live, status)
            }
            (Step::Fail(error), ..) => Found::Failed(error),
            (Step::Load(over), Some(flight), Some(lease), _) => {
                let previous = match over {
                    Some(Over::Outdated(live)) if lease.basis().carries_on(&live) => Some(live),
                    _ => None,
                };
                Found::Lead(flight, Box::new(lease), previous)
            }
            (Step::Renew, Some(flight), _, Some(claim)) => Found::Renew(Box::new((flight, claim))),
            (Step::Keep, ..) => Found::Kept,
            _ => {
                let place = rights.place;
                Found::Bypass(place.unwrap_or_else(|| BypassLoad::unshared(self.key)))
            }
        }
    }

    /// Joining needs no look of one's own: the fill, if it wins, comes later than this.
    pub(crate) fn join(&mut self) -> Answer {
        if !self.may_look() {
            return Answer::Barred;
        }
        match self.inner.flights.join(self.key, || self.tags.cover()) {
            Some(seat) if self.is_kept() => self.seat(seat),
            _ => Answer::Nobody,
        }
    }

    /// Whether no invalidation of the key, or of a tag, is to be replayed.
    fn may_look(&mut self) -> bool {
        let pass = self.inner.journal.pass_all(self.key, self.tags.keys());
        match pass {
            Some(pass) => self.pass = pass,
            // By a task that has to be there.
            None => {
                self.inner.runtime.tend();
            }
        }
        pass.is_some()
    }

    fn seat(&mut self, seat: Seat) -> Answer {
        self.seat = Some(seat);
        Answer::Seat
    }

    /// Whether it asks for the lease without a look, which is [likely](crate::protocol::outlook) to find nothing. Where
    /// nothing is to be loaded, what is seen is kept, or tags would still have to be looked at, there is a look.
    fn expects_nothing(&self) -> bool {
        self.inner.outlook.is_nothing(self.function.site.slot())
            && self.tags.is_empty()
            && self.source.keeps_nothing()
            && self.is_kept()
    }

    fn looked(&self, seen: Result<Seen, StoreError>, leads: bool) -> Answer {
        let (outlook, slot) = (&self.inner.outlook, self.function.site.slot());
        match &seen {
            Ok(Seen::Absent) => outlook.nothing(slot),
            _ => outlook.something(slot),
        }
        match seen {
            Ok(seen) if leads && self.is_held(&seen) => self.answer(Seen::Expired),
            Ok(seen) => self.answer(seen),
            Err(error) => self.away(&error),
        }
    }

    pub(crate) fn answer(&self, seen: Seen) -> Answer {
        Answer::Seen(seen, self.inner.journal.stands(self.pass))
    }

    /// What stands under the key. It keeps nothing of this search.
    pub(crate) fn look(&self) -> impl Future<Output = Result<Seen, StoreError>> + Send + use<'a> {
        let &Self {
            inner,
            function,
            key,
            tags,
            source,
            ..
        } = self;
        async move {
            let (entry, generations) = match source.plain().filter(|_| tags.is_empty()) {
                Some(store) => (store.get(key).await?, Generations::none()),
                // Boxed, so that plain reads are not larger for it.
                None => Box::pin(tags::look(&source, key, tags)).await?,
            };
            if matches!(generations, Generations::Barred) {
                return Ok(Seen::Barred);
            }
            let mut live = match Seen::of(inner, function, key, entry) {
                Seen::Live(live) => live,
                seen => return Ok(seen),
            };
            let life = generations.judge(&source, tags, &live).await?;
            source.share(key, &mut live);
            Ok(Seen::judged(inner, function, live, life))
        }
    }

    /// A read that had to wait was answered by another one's load. In memory an entry need not be asked for.
    pub(crate) fn status(&self, live: &Live) -> Status {
        if self.budget.has_begun() {
            return Status::Joined;
        }
        match self.local {
            Local::Answers => Status::Local,
            _ if live.is_decoded() && self.source.is_local_in_memory() => Status::Local,
            _ => Status::Hit,
        }
    }

    fn away(&self, error: &StoreError) -> Answer {
        self.emit(&Event::Away(error));
        Answer::Away
    }

    fn emit(&self, event: &Event<'_>) {
        self.inner.emit(&self.function.site, event);
    }
}

#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;
