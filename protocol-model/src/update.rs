//! `update`: three callers read the value, change it, and put it back by compare-and-set on the token
//! it was read with. The value in the cache is the truth here, so nothing evicts it.
//!
//! A model of its own: of the rest it shares the words of events, and what a store may ask for.

use crate::checker::{Model, Step, StepOf};
use crate::event::{Event, Flaw, What, Who};
use crate::server::Condition;
use crate::state::Token;

/// Callers of `update`.
const UPDATERS: usize = 3;
/// How often each tries.
const TRIES: u8 = 2;

/// How values are put back.
#[derive(Clone, Copy, Debug)]
pub struct Updates {
    /// What the store of a changed value asks for.
    pub condition: Condition,
    /// What a refusal means to who has sent the same command twice.
    pub doubt: Doubt,
}

/// What a refusal means to who has sent the same command twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The first may have run, and somebody has replaced its value since: the caller is told so.
    Announced,
    /// That nothing was stored: it begins anew.
    Ignored,
}

/// The value, as far as it matters: how often each caller's update is in it.
type Counts = [u8; UPDATERS];

/// What stands under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    token: Token,
    counts: Counts,
}

/// A command on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Swap {
    over: Token,
    entry: Entry,
    /// Whether it was sent before.
    again: bool,
}

/// How far a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Reading,
    Sent(Swap),
    /// It has run, its answer is under way.
    Ran {
        swap: Swap,
        won: bool,
    },
    Updated,
    Refused,
    InDoubt,
}

/// One call of `update`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Updater {
    phase: Phase,
    tries: u8,
}

/// A moment of all that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    entry: Entry,
    updaters: [Updater; UPDATERS],
}

impl Model for Updates {
    type State = Moment;
    type Event = Event;
    type Flaw = Flaw;

    fn initial(&self) -> Moment {
        Moment {
            entry: Entry {
                token: 0,
                counts: [0; UPDATERS],
            },
            updaters: [Updater {
                phase: Phase::Reading,
                tries: TRIES,
            }; UPDATERS],
        }
    }

    fn steps(&self, now: &Moment, list: &mut Vec<StepOf<Self>>) {
        for updater in 0..UPDATERS {
            let mut add = |what, to| {
                let who = Who::Updater(updater);
                let version = 0;
                list.push(Step {
                    event: Event { who, what, version },
                    to,
                    flaw: None,
                });
            };
            match now.updaters[updater].phase {
                Phase::Reading => add(What::GetsToUpdate, now.reads(updater)),
                Phase::Sent(swap) => {
                    let (what, to) = self.runs(now, updater, swap);
                    add(what, to);
                    if !swap.again {
                        add(What::Resends, now.resends(updater, swap));
                    }
                }
                Phase::Ran { swap, won } => {
                    let (what, to) = self.hears(now, updater, swap, won);
                    add(what, to);
                    match swap.again {
                        true => add(What::IsInDoubt, now.with(updater, Phase::InDoubt)),
                        false => add(What::Resends, now.resends(updater, swap)),
                    }
                }
                Phase::Updated | Phase::Refused | Phase::InDoubt => {}
            }
        }
    }

    /// An update counts once if its caller was told so, not at all if it was refused, and never twice.
    fn flaw(&self, now: &Moment) -> Option<Flaw> {
        let callers = now.updaters.iter().zip(now.entry.counts).enumerate();
        let wrong = |(_, (updater, times)): &(usize, (&Updater, u8))| match updater.phase {
            Phase::Updated => *times != 1,
            Phase::Refused => *times != 0,
            _ => *times > 1,
        };
        let (updater, (_, times)) = { callers }.find(wrong)?;
        Some(Flaw::Miscounted { updater, times })
    }

    fn kind(event: Event) -> u8 {
        event.what as u8
    }
}

impl Updates {
    fn runs(&self, now: &Moment, updater: usize, swap: Swap) -> (What, Moment) {
        let mut to = *now;
        let repeated = now.entry.token == swap.entry.token;
        let stands = now.entry.token == swap.over || self.condition == Condition::Always;
        if stands {
            to.entry = swap.entry;
        }
        let won = stands || repeated;
        let what = match self.condition {
            Condition::Always => What::Sets,
            _ if repeated => What::SwapRepeated,
            _ if stands => What::Swaps,
            _ => What::SwapRefused,
        };
        (what, to.with(updater, Phase::Ran { swap, won }))
    }

    fn hears(&self, now: &Moment, updater: usize, swap: Swap, won: bool) -> (What, Moment) {
        let (what, phase) = match won {
            true => (What::Updated, Phase::Updated),
            false if swap.again && self.doubt == Doubt::Announced => {
                (What::IsInDoubt, Phase::InDoubt)
            }
            false if now.updaters[updater].tries == 0 => (What::RunsOutOfTries, Phase::Refused),
            false => (What::TriesAgain, Phase::Reading),
        };
        (what, now.with(updater, phase))
    }
}

impl Moment {
    fn with(mut self, updater: usize, phase: Phase) -> Self {
        self.updaters[updater].phase = phase;
        self
    }

    /// A GET; the changed value is sent at once.
    fn reads(mut self, updater: usize) -> Self {
        let mut entry = self.entry;
        entry.counts[updater] += 1;
        entry.token = self.fresh_token();
        self.updaters[updater].tries -= 1;
        self.with(
            updater,
            Phase::Sent(Swap {
                over: self.entry.token,
                entry,
                again: false,
            }),
        )
    }

    /// The connection is lost before the answer came, and with it the command, if it has not run.
    fn resends(self, updater: usize, swap: Swap) -> Self {
        self.with(
            updater,
            Phase::Sent(Swap {
                again: true,
                ..swap
            }),
        )
    }

    fn fresh_token(&self) -> Token {
        let remembered = |token| {
            self.entry.token == token
                || self.updaters.iter().any(|updater| match updater.phase {
                    Phase::Sent(swap) | Phase::Ran { swap, .. } => {
                        swap.over == token || swap.entry.token == token
                    }
                    _ => false,
                })
        };
        (0..)
            .find(|token| !remembered(*token))
            .unwrap_or(Token::MAX)
    }
}
