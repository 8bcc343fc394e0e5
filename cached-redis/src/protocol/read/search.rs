//! From a key to an entry, or to the right to load it.
//!
//! ```text
//! join ── look ── live ──────────────────────────────────────► serve
//!  ▲ │     ▲ │
//!  │ │     │ └ nothing usable ── enter ── the lead ── acquire ── stamp ──► load
//!  │ └ a seat ◄──────────────────┘ │         ▲ │
//!  │    │  └────────── shared ─────┼─► serve │ └ refused: pause, look
//!  └────┘ again                    └ past its TTL: claim ────────────────► renew
//! ```
//!
//! Wherever the cache is of no help, the search queues for a load without a lease.

use core::mem;

use super::{Landing, Rule, Rules};

/// What stands under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "testing", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Seen<L, D> {
    Absent,
    /// Somebody loads it.
    Leased,
    /// Alive, for all that the protocol knows.
    Live(L),
    /// What the reader holds already and may serve only if a load fails.
    Expired,
    /// What it may not serve, and a lease may take the place of.
    Dead(D),
    /// A tombstone, there or under a tag: nobody may fill.
    Barred,
}

/// What a search does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "testing", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Step<L, D, F> {
    /// Begin, where a load that runs here may be joined.
    Join,
    /// See what stands under the key.
    Look { leads: bool },
    /// Become the one who loads it here, or take a seat.
    Enter(Seen<L, D>),
    /// Ask for the lease, where nothing stands or in the place of this.
    Acquire(Option<D>),
    /// Read the generations of the tags.
    Stamp(Option<D>),
    /// Ask for the right to refresh what the reader holds.
    Claim,
    /// Give another process time to load.
    Pause,
    /// Wait for the load in which it has a seat.
    Wait,
    /// Find a place among the loads without a lease.
    Queue,
    /// Wait for one of those.
    WaitInQueue,

    /// The end: an entry to decode.
    Serve(L),
    /// The error of a load that was waited for.
    Fail(F),
    /// The right to load, in the place of this.
    Load(Option<D>),
    /// The right to load anew what the reader holds.
    Renew,
    /// Nothing more to wait for: what the reader holds is to be served.
    Keep,
    /// The right to load without a lease.
    Bypass,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "testing", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Answer<L, D, F> {
    /// The invalidation of the key, or of a tag, is to be replayed.
    Barred,
    /// The store does not answer, a writer bars the key, or what is loaded is not to be kept.
    Away,
    /// The time to wait is over.
    Spent,
    /// Nobody loads it here.
    Nobody,
    /// This reader does, from now on.
    Lead,
    /// Somebody does, and here is a seat.
    Seat,
    /// What stands under the key; and whether the server is still the one that was asked.
    Seen(Seen<L, D>, bool),
    Granted,
    /// Something stands there that is to be looked at.
    Refused,
    Stamped,
    Paused,
    Landed(Landing<L, F>),
}

/// One reader's search of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "testing", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Search<L, D, F> {
    step: Step<L, D, F>,
    /// Whether the reader holds a value past its TTL, which is better than to wait in vain.
    holds: bool,
}

impl<L, D, F> Step<L, D, F> {
    /// Whether others wait for this reader, who has to land their flight.
    pub(crate) fn leads(&self) -> bool {
        match self {
            Self::Look { leads } => *leads,
            Self::Acquire(_) | Self::Stamp(_) | Self::Claim | Self::Pause => true,
            Self::Load(_) | Self::Renew => true,
            _ => false,
        }
    }
}

impl<L, D, F> Search<L, D, F> {
    pub(crate) fn new() -> Self {
        Self {
            step: Step::Join,
            holds: false,
        }
    }

    /// One that has found nobody to join, and has looked.
    pub(crate) fn looked(rules: &impl Rules<Rule>, seen: Seen<L, D>, stands: bool) -> Self {
        Self {
            step: Self::seen(rules, seen, false, stands),
            holds: false,
        }
    }

    pub(crate) fn step(&self) -> &Step<L, D, F> {
        &self.step
    }

    /// The step at which it has ended; goes on from the beginning.
    pub(crate) fn end(&mut self) -> Step<L, D, F> {
        mem::replace(&mut self.step, Step::Join)
    }

    /// The entry to decode, if that is where it has ended.
    pub(crate) fn served(&mut self) -> Option<L> {
        match self.end() {
            Step::Serve(live) => Some(live),
            step => {
                self.step = step;
                None
            }
        }
    }

    /// What was to be served is of no use as it is.
    pub(crate) fn unusable(&mut self, seen: Seen<L, D>) {
        self.holds |= matches!(seen, Seen::Expired);
        self.step = Step::Enter(seen);
    }

    /// From the beginning, with nothing in hand.
    pub(crate) fn restart(&mut self) {
        *self = Self::new();
    }

    /// Goes on with the answer to its step. What those are told who have joined, if it leads no longer.
    pub(crate) fn next(
        &mut self,
        rules: &impl Rules<Rule>,
        answer: Answer<L, D, F>,
    ) -> Option<Landing<L, F>>
    where
        L: Clone,
    {
        let step = self.end();
        let led = step.leads();
        self.step = match (step, answer) {
            (Step::Join, Answer::Barred) if rules.follows(Rule::HeedsJournal) => Step::Queue,
            (Step::Join, Answer::Barred | Answer::Nobody) => Step::Look { leads: false },
            (Step::Join, Answer::Lead) => Step::Look { leads: true },
            (Step::Look { leads }, Answer::Seen(seen, stands)) => {
                Self::seen(rules, seen, leads, stands)
            }
            (Step::Enter(seen), Answer::Lead) => Self::contend(seen),
            (Step::Acquire(over), Answer::Granted) => match rules.follows(Rule::ReadsTagsFirst) {
                true => Step::Stamp(over),
                false => Step::Load(over),
            },
            (Step::Acquire(_), Answer::Seen(seen, stands)) => Self::seen(rules, seen, true, stands),
            (Step::Acquire(_), Answer::Refused) => Step::Look { leads: true },
            (Step::Stamp(over), Answer::Stamped) => Step::Load(over),
            (Step::Claim, Answer::Granted) => Step::Renew,
            (Step::Claim, Answer::Refused) => Step::Pause,
            (Step::Pause, Answer::Paused) => Step::Look { leads: true },
            (Step::Wait | Step::WaitInQueue, Answer::Landed(landing)) => self.landed(landing),
            (Step::Queue, Answer::Lead) | (Step::WaitInQueue, Answer::Spent) => Step::Bypass,
            (Step::Queue, Answer::Seat) => Step::WaitInQueue,
            (_, Answer::Seat) => Step::Wait,
            (_, Answer::Spent) => self.spent(),
            _ => Step::Queue,
        };
        (led && !self.step.leads()).then(|| self.landing(rules))
    }

    fn seen(
        rules: &impl Rules<Rule>,
        seen: Seen<L, D>,
        leads: bool,
        stands: bool,
    ) -> Step<L, D, F> {
        match seen {
            Seen::Live(_) if !stands && rules.follows(Rule::LooksAgain) => Step::Join,
            Seen::Live(live) => Step::Serve(live),
            Seen::Barred => Step::Queue,
            seen if leads => Self::contend(seen),
            seen => Step::Enter(seen),
        }
    }

    fn contend(seen: Seen<L, D>) -> Step<L, D, F> {
        match seen {
            Seen::Absent => Step::Acquire(None),
            Seen::Dead(over) => Step::Acquire(Some(over)),
            Seen::Leased => Step::Pause,
            Seen::Expired => Step::Claim,
            Seen::Live(live) => Step::Serve(live),
            Seen::Barred => Step::Queue,
        }
    }

    fn landed(&self, landing: Landing<L, F>) -> Step<L, D, F> {
        match landing {
            Landing::Shared(live) => Step::Serve(live),
            Landing::Failed(error) => Step::Fail(error),
            Landing::Again => Step::Join,
            Landing::Bypass => self.spent(),
        }
    }

    fn spent(&self) -> Step<L, D, F> {
        match self.holds {
            true => Step::Keep,
            false => Step::Queue,
        }
    }

    /// Those who joined need not find out for themselves that the cache is of no help. All others look.
    fn landing(&self, rules: &impl Rules<Rule>) -> Landing<L, F>
    where
        L: Clone,
    {
        match &self.step {
            Step::Queue => Landing::Bypass,
            Step::Serve(live) if !rules.follows(Rule::SharesNoHits) => {
                Landing::Shared(live.clone())
            }
            _ => Landing::Again,
        }
    }
}
