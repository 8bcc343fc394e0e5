//! How the files on readers, writers and the world describe what can happen next.

use crate::actor::{Phase, Stage, Tag};
use crate::checker::Step;
use crate::config::{Config, Failover, Journal, Sharing};
use crate::event::{Event, Flaw, What, Who};
use crate::state::{HOME, Key, State, Version, WRITERS};

/// Collects what can happen at one moment.
pub(crate) struct Steps<'a> {
    pub(crate) config: &'a Config,
    pub(crate) now: &'a State,
    list: &'a mut Vec<Step<State, Event, Flaw>>,
}

/// The moment a step leads to, while it is being made.
pub(crate) struct Next<'a> {
    pub(crate) config: &'a Config,
    pub(crate) state: State,
}

/// What a step did.
pub(crate) struct Did {
    pub(crate) what: What,
    pub(crate) version: Version,
    pub(crate) flaw: Option<Flaw>,
}

impl What {
    /// This, to a version.
    pub(crate) fn of(self, version: Version) -> Did {
        Did {
            what: self,
            version,
            flaw: None,
        }
    }
}

impl From<What> for Did {
    fn from(what: What) -> Self {
        what.of(0)
    }
}

impl Did {
    pub(crate) fn with(self, flaw: Option<Flaw>) -> Self {
        Self { flaw, ..self }
    }
}

impl<'a> Steps<'a> {
    pub(crate) fn new(
        config: &'a Config,
        now: &'a State,
        list: &'a mut Vec<Step<State, Event, Flaw>>,
    ) -> Self {
        Self { config, now, list }
    }

    /// Adds one thing that can happen.
    pub(crate) fn add<D: Into<Did>>(&mut self, who: Who, change: impl FnOnce(&mut Next<'_>) -> D) {
        let mut next = Next {
            config: self.config,
            state: *self.now,
        };
        let did = change(&mut next).into();
        let event = Event {
            who,
            what: did.what,
            version: did.version,
        };
        self.list.push(Step {
            event,
            to: next.state,
            flaw: did.flaw,
        });
    }

    /// Adds a load for each version that the source may show now.
    pub(crate) fn load<D: Into<Did>>(
        &mut self,
        who: Who,
        change: impl Fn(&mut Next<'_>, Version) -> D,
    ) {
        let (mut row, replica) = (self.now.row, self.now.row_replica);
        if let Who::Reader(reader) = who
            && self.config.is_inside(self.now, reader)
        {
            row += 1;
        }
        self.add(who, |next| change(next, row));
        if self.config.lag && replica != row {
            self.add(who, |next| change(next, replica));
        }
    }

    /// Adds a call of the function for each version that it may give now.
    pub(crate) fn call<D: Into<Did>>(
        &mut self,
        who: Who,
        change: impl Fn(&mut Next<'_>, Version) -> D,
    ) {
        self.load(who, &change);
        if self.config.calls_inner()
            && let Some(inner) = self.now.live_inner()
        {
            self.add(who, |next| change(next, inner.version));
        }
    }

    /// Whether commands of this process get through to the server there is now.
    pub(crate) fn reaches_redis(&self, process: usize) -> bool {
        let survives = matches!(
            self.config.failover,
            Some(Failover::Replay { survives: true, .. })
        );
        survives || !self.now.lags(process)
    }
}

impl Next<'_> {
    pub(crate) fn enter(&mut self, reader: usize, phase: Phase) {
        self.state.readers[reader].phase = phase;
    }

    /// Ends a read and holds its result against the promise.
    pub(crate) fn returns(&mut self, reader: usize, version: Version) -> Option<Flaw> {
        let floor = self.state.readers[reader].floor;
        self.enter(reader, Phase::Done);
        self.state.readers[reader].floor = 0;
        (version < floor).then_some(Flaw::StaleRead {
            reader,
            version,
            floor,
        })
    }

    /// The same with a result of the source, which is nobody's fault if the source itself lags.
    pub(crate) fn returns_loaded(&mut self, reader: usize, version: Version) -> Option<Flaw> {
        self.returns(reader, version).filter(|_| !self.config.lag)
    }
}

impl Config {
    /// Whether a process that has read `tag` takes this entry for one of another server or generation.
    pub(crate) fn is_dead(&self, state: &State, key: Key, process: usize, tag: Tag) -> bool {
        let other_server = matches!(self.failover, Some(Failover::Epoch { .. }))
            && key
                .epoch()
                .is_some_and(|epoch| epoch != state.processes[process].epoch);
        other_server || Self::is_outdated(key, tag)
    }

    /// Whether an invalidation waits in the journal of this process, or is collected there.
    pub(crate) fn is_journaled(&self, state: &State, process: usize) -> bool {
        (0..WRITERS).any(|writer| {
            let stage = state.writers[writer].stage;
            self.writer_home[writer] == process
                && (self.keeps(writer, stage) || self.holds(writer, stage))
        })
    }

    fn keeps(&self, writer: usize, stage: Stage) -> bool {
        let waits = matches!(
            stage,
            Stage::Journaled | Stage::FoundAgain(_) | Stage::Replayed(_)
        );
        let shows = |journal: Journal| journal.by_pattern || !self.scans[writer];
        waits && self.journal.is_some_and(shows)
    }

    /// Whether flights stand on the board from before the lease is asked for.
    pub(crate) fn flies_early(&self) -> bool {
        matches!(self.sharing, Sharing::Flight { .. })
    }
}

/// The process of a reader.
pub(crate) fn home(reader: usize) -> usize {
    HOME[reader]
}
