//! What happens by itself: things run out, replicas catch up, servers fail.

use crate::actor::Stage;
use crate::config::{Failover, Promise};
use crate::event::{What, Who};
use crate::server::{bit, tombstone};
use crate::state::{Key, PROCESSES, WRITERS};
use crate::step::{Next, Steps};

/// What can happen to the key, to the source and to connections.
pub(crate) fn steps(steps: &mut Steps<'_>) {
    key_steps(steps);
    tag_steps(steps);
    if steps.config.lag && steps.now.row_replica < steps.now.row {
        steps.add(Who::World, |next| {
            next.state.row_replica = next.state.row;
            What::ReplicaCatchesUp.of(next.state.row)
        });
    }
    if steps.config.failover.is_some() {
        failover_steps(steps);
    }
}

fn key_steps(steps: &mut Steps<'_>) {
    match steps.now.key {
        Key::Absent => {}
        Key::Lease { .. } => steps.add(Who::World, |next| next.remove(What::LeaseRunsOut)),
        Key::Marker { .. } => steps.add(Who::World, |next| next.remove(What::ValueGoes)),
        Key::Value {
            token,
            version,
            stamp,
            stale,
        } => {
            steps.add(Who::World, |next| next.remove(What::ValueGoes));
            if steps.config.refresh.is_some() && !stale {
                steps.add(Who::World, |next| {
                    next.state.key = Key::Value {
                        token,
                        version,
                        stamp,
                        stale: true,
                    };
                    What::TurnsStale
                });
            }
        }
        Key::Tombstone { writers, hold, .. } => tombstone_steps(steps, writers, hold),
    }
}

fn tag_steps(steps: &mut Steps<'_>) {
    let evicted = steps.config.tags.is_some_and(|tags| tags.evicted);
    if evicted && steps.now.tag != 0 {
        steps.add(Who::World, |next| {
            next.state.tag = 0;
            What::GenerationGoes
        });
    }
    if steps.now.inner.is_some() {
        steps.add(Who::World, |next| {
            next.state.inner = None;
            What::InnerGoes
        });
    }
}

fn tombstone_steps(steps: &mut Steps<'_>, writers: u8, hold: u8) {
    for writer in 0..WRITERS {
        if writers & bit(writer) != 0 && steps.may_run_out(writer) {
            steps.add(Who::World, |next| {
                next.without(bit(writer), false);
                What::TombstoneRunsOut
            });
        }
    }
    if hold != 0 && steps.now.row_replica >= hold {
        steps.add(Who::World, |next| {
            next.without(0, true);
            What::HoldEnds
        });
    }
    if steps.config.evicted_tombstones {
        steps.add(Who::World, |next| next.remove(What::TombstoneEvicted));
    }
}

impl Steps<'_> {
    /// The hold is longer than any write and, where the source lags, than the lag after it.
    fn may_run_out(&self, writer: usize) -> bool {
        let at = self.now.writers[writer];
        let over = !matches!(at.stage, Stage::Begun | Stage::Committed);
        let seen = !self.config.lag || self.now.row_replica >= at.version;
        self.config.short_hold || (over && seen)
    }
}

fn failover_steps(steps: &mut Steps<'_>) {
    if steps.now.server == 0 {
        if steps.now.copy != steps.now.key {
            steps.add(Who::World, |next| {
                next.state.copy = next.state.key;
                What::Copied
            });
        }
        steps.add(Who::World, |next| {
            next.state.key = next.state.copy;
            // The copy has done its part.
            next.state.copy = Key::Absent;
            next.state.server = 1;
            if next.config.promise == Promise::OnceNoticed {
                next.state
                    .readers
                    .iter_mut()
                    .for_each(|reader| reader.floor = 0);
            }
            What::FailsOver
        });
    }
    for process in 0..PROCESSES {
        if steps.now.lags(process) {
            steps.add(Who::Process(process), |next| next.connect(process));
        }
    }
}

impl Next<'_> {
    fn remove(&mut self, what: What) -> What {
        self.state.key = Key::Absent;
        what
    }

    fn without(&mut self, gone: u8, hold_over: bool) {
        if let Key::Tombstone {
            writers,
            tainted,
            hold,
        } = self.state.key
        {
            let hold = if hold_over { 0 } else { hold };
            self.state.key = tombstone(writers & !gone, tainted, hold);
        }
    }

    fn connect(&mut self, process: usize) -> What {
        self.state.processes[process].epoch = self.state.server;
        let Some(Failover::Replay { ages: false, .. }) = self.config.failover else {
            return What::Connects;
        };
        for (writer, home) in self.config.writer_home.iter().enumerate() {
            let stage = &mut self.state.writers[writer].stage;
            if *stage == Stage::Done && *home == process {
                *stage = Stage::Journaled;
            }
        }
        What::ConnectsJournaling
    }
}
