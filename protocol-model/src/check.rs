//! A level whose entries are checked: each read asks Redis for the header under the key and for the tag's
//! generation, and what is kept is served if it is of just those. Without tickets, links and clocks.
//!
//! **It is not built yet.** A model of its own: of the rest it shares what Redis does, and the words of
//! events. Readers in two processes load and fill under leases, again and again; what they have loaded is
//! kept at once, whatever becomes of its fill.

use crate::checker::{Model, Step, StepOf};
use crate::event::{Event, Flaw, What, Who};
use crate::local::{Rule, Rules};
use crate::state::{READERS, WRITERS};
use crate::step::Did;

mod moment;

pub(crate) use moment::Moment;
use moment::{Key, Phase, Stage};

/// A level of checked entries, and what it leaves out.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    pub(crate) without: Option<Rule>,
    /// Entries have the token of the process that has filled, and not one of their own.
    pub(crate) process_tokens: bool,
    /// A read shares the check of one that began before it.
    pub(crate) shared: bool,
    /// Who reads: two in the first process, who are alike, and one in the second.
    pub(crate) readers: [bool; READERS],
    /// Who writes: one invalidates the key, one its tag.
    pub(crate) writers: [bool; WRITERS],
    /// Redis may fail over to an older state.
    pub(crate) fails_over: bool,
}

impl Checks {
    /// What is explored of it: all of it, or its first reader with each writer.
    pub(crate) fn parts(self, all: bool) -> Vec<Self> {
        let alone = |writer: usize| Self {
            readers: [true, false, false],
            writers: std::array::from_fn(|at| at == writer && self.writers[at]),
            ..self
        };
        match all {
            true => vec![self],
            false => (0..WRITERS).map(alone).collect(),
        }
    }
}

impl Rules<Rule> for Checks {
    fn follows(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

impl Model for Checks {
    type State = Moment;
    type Event = Event;
    type Flaw = Flaw;

    fn initial(&self) -> Moment {
        Moment::initial(self.writers)
    }

    fn steps(&self, now: &Moment, list: &mut Vec<StepOf<Self>>) {
        let mut add = |who, change: &dyn Fn(&mut Moment) -> Did| {
            let mut to = *now;
            let Did {
                what,
                version,
                flaw,
            } = change(&mut to);
            let event = Event { who, what, version };
            list.push(Step { event, to, flaw });
        };
        for reader in 0..READERS {
            let late = reader == 1 && now.readers[0] == Phase::Idle;
            if self.readers[reader] && !late {
                add(Who::Reader(reader), &|to| to.reads(self, reader));
            }
        }
        for writer in 0..WRITERS {
            if now.writers[writer] != Stage::Done {
                add(Who::Writer(writer), &|to| to.writes(writer));
            }
        }
        if now.key != Key::Absent {
            add(Who::World, &|to| to.goes());
        }
        if self.fails_over && now.epoch == 0 {
            add(Who::World, &|to| {
                to.copy = to.key;
                What::Copied.into()
            });
            add(Who::World, &|to| {
                (to.key, to.copy, to.epoch) = (to.copy, Key::Absent, 1);
                What::FailsOver.into()
            });
        }
    }

    fn flaw(&self, _: &Moment) -> Option<Flaw> {
        None
    }

    fn kind(event: Event) -> u8 {
        event.what as u8
    }
}
