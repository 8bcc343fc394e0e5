//! What happens by itself: time passes, things go, links die, a slot moves.

use super::message::Queue;
use super::state::{Ago, Owner, Phase, Stage};
use super::{ITEMS, Move, Next, PROCESSES, Steps};
use crate::event::{What, Who};
use crate::local::Settling;
use crate::step::Did;

pub(super) fn steps(steps: &mut Steps<'_>) {
    let me = Who::World;
    steps.add(me, |next| next.ticks(PROCESSES));
    if steps.level.sleeps {
        steps.add(me, |next| next.ticks(PROCESSES - 1));
    }
    eviction_steps(steps);
    for process in steps.level.processes() {
        if steps.level.cuts && !steps.now.processes[process].cut {
            steps.add(Who::Process(process), |next| next.cuts(process));
        }
    }
    if steps.level.moves.is_some() {
        move_steps(steps);
    }
}

fn eviction_steps(steps: &mut Steps<'_>) {
    let owner = steps.now.owner();
    if steps.now.servers[owner].key.is_some() {
        steps.add(Who::World, |next| {
            next.sets(owner, None, None);
            What::ValueGoes
        });
    }
    if !steps.level.forgets {
        return;
    }
    if steps.now.servers[owner].generation != 0 {
        steps.add(Who::World, |next| {
            next.unlinks_tag(owner, None);
            What::GenerationGoes
        });
    }
    for process in 0..PROCESSES {
        for item in (0..ITEMS).filter(|item| steps.now.servers[owner].tracked[process][*item]) {
            steps.add(Who::World, |next| {
                next.forgets(owner, process, item, None);
                What::TrackingGoes
            });
        }
    }
}

/// What is worst of a move: the old owner goes on as before until it knows, and what it has under the key is
/// not announced to go. Then it goes.
fn move_steps(steps: &mut Steps<'_>) {
    match steps.now.owner {
        Owner::First => steps.add(Who::World, |next| {
            next.state.servers[1].key = next.state.servers[0].key;
            next.state.owner = Owner::Second;
            What::SlotMoves
        }),
        Owner::Second if steps.is(|moves| moves.elected_first) => steps.add(Who::World, |next| {
            next.state.owner = Owner::Elected;
            What::OldOwnerHears
        }),
        Owner::Second | Owner::Elected => {
            let trims = steps.is(|moves| moves.trims_at_once);
            steps.add(Who::World, |next| {
                next.state.owner = Owner::Known;
                if trims {
                    next.sets(0, None, None);
                }
                What::OldOwnerKnows
            });
        }
        Owner::Known => steps.add(Who::World, |next| {
            next.sets(0, None, None);
            What::OldOwnerTrims
        }),
    }
}

impl Steps<'_> {
    fn is(&self, so: impl Fn(Move) -> bool) -> bool {
        self.level.moves.is_some_and(so)
    }
}

impl Next<'_> {
    /// The clocks of the first processes go on, and with them all others.
    fn ticks(&mut self, processes: usize) -> Did {
        let level = self.level;
        let late = level.moves.is_some_and(|moves| moves.from_known);
        let unknown = late && matches!(self.state.owner, Owner::Second | Owner::Elected);
        let state = &mut self.state;
        for process in 0..processes {
            for age in state.ages_of(process) {
                age.tick(level.delta);
            }
        }
        for (reader, home) in state.readers.iter_mut().zip(level.readers) {
            if reader.phase != Phase::Idle && home < Some(processes) {
                reader.sent.tick(level.delta);
            }
        }
        for writer in &mut state.writers {
            if let Stage::Sent { settling, .. } | Stage::Settling(settling) = &mut writer.stage
                && let Settling::Sent(age) | Settling::Confirmed(age) = settling
                && level.settles
            {
                age.tick(level.delta);
            }
        }
        if !unknown {
            for age in state.returned.iter_mut().flatten() {
                age.tick(level.delta);
            }
        }
        What::TimePasses.into()
    }

    fn cuts(&mut self, process: usize) -> What {
        for server in &mut self.state.servers {
            server.tracked[process] = [false; ITEMS];
        }
        let process = &mut self.state.processes[process];
        (process.up, process.down, process.cut) = (Queue::EMPTY, Queue::EMPTY, true);
        What::LinkDies
    }
}

impl Ago {
    /// What is longer ago than `delta` is as long ago as can be.
    fn tick(&mut self, delta: u8) {
        self.0 = (self.0 + 1).min(delta + 1);
    }
}
