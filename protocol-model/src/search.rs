//! A reader's way to a value, or to the right to load it.

use crate::actor::{Phase, Seen};
use crate::config::{Call, Lease, Sharing};
use crate::event::{What, Who};
use crate::flight::Landing;
use crate::server;
use crate::state::{Epoch, Flight, Key, State, Token};
use crate::step::{Did, Next, Steps, home};

/// What a reader that has no right to load yet can do.
pub(crate) fn steps(steps: &mut Steps<'_>, reader: usize) {
    let me = Who::Reader(reader);
    let connected = steps.reaches_redis(home(reader));
    match steps.now.readers[reader].phase {
        Phase::Idle if steps.config.may_start(steps.now, reader) => {
            steps.add(me, |next| next.start(reader));
        }
        Phase::Again => steps.add(me, |next| next.search(reader)),
        Phase::Look { epoch } if connected => {
            steps.add(me, |next| next.look(reader, epoch, false));
        }
        Phase::Look { .. } => steps.add(me, |next| next.give_up(reader, What::FindsRedisAway)),
        Phase::Looked { seen, epoch } => {
            steps.add(me, |next| {
                next.lead_or_sit(reader, Phase::Contend { seen, epoch })
            });
        }
        Phase::Contend { seen, epoch } => contend(steps, reader, seen, epoch),
        Phase::Seated { .. } => steps.add(me, |next| next.give_up(reader, What::GivesUp)),
        _ => {}
    }
}

fn contend(steps: &mut Steps<'_>, reader: usize, seen: Seen, epoch: Epoch) {
    let me = Who::Reader(reader);
    let connected = steps.reaches_redis(home(reader));
    if connected {
        match seen {
            Seen::Leased => steps.add(me, |next| next.look(reader, epoch, true)),
            Seen::Absent => steps.add(me, |next| next.acquire(reader, None, epoch)),
            Seen::Dead(over) => steps.add(me, |next| next.acquire(reader, Some(over), epoch)),
        }
    }
    if seen == Seen::Leased || !connected {
        steps.add(me, |next| next.give_up(reader, What::GivesUp));
    }
}

impl crate::Config {
    /// The first two readers are alike and in one process: the order in which they start is all
    /// that tells them apart, so one order is enough.
    fn may_start(&self, state: &State, reader: usize) -> bool {
        let twin = reader == 1 && self.readers[0] == self.readers[1];
        self.readers[reader] != Call::Nothing && !(twin && state.readers[0].phase == Phase::Idle)
    }
}

impl Next<'_> {
    fn start(&mut self, reader: usize) -> Did {
        let floor = self
            .state
            .floor
            .max(self.state.processes[home(reader)].floor);
        self.state.readers[reader].floor = floor;
        match self.config.readers[reader] {
            Call::Nothing | Call::Read => self.search(reader),
            Call::Refreshed => {
                self.enter(reader, Phase::Fence);
                What::Fences.into()
            }
            Call::Put => {
                let version = self.state.row;
                self.enter(reader, Phase::Put { version });
                What::CallsPut.of(version)
            }
        }
    }

    /// One round, up to the reader's own look.
    fn search(&mut self, reader: usize) -> Did {
        let floor = self.state.readers[reader].floor;
        let process = home(reader);
        if self.config.is_bypassed(&self.state, process) {
            self.enter(reader, Phase::Bypass);
            return What::FindsJournaled.of(floor);
        }
        if let Some(flight) = self.state.processes[process].flight {
            return self.sit(reader, flight);
        }
        let epoch = self.state.processes[process].epoch;
        self.enter(reader, Phase::Look { epoch });
        if self.config.sharing == Sharing::Anytime {
            self.board(reader);
        }
        What::Looks.of(floor)
    }

    fn sit(&mut self, reader: usize, flight: Flight) -> Did {
        let Flight {
            leader,
            open: shares,
        } = flight;
        self.enter(reader, Phase::Seated { leader, shares });
        let what = if shares { What::Joins } else { What::JoinsLate };
        what.of(self.state.readers[reader].floor)
    }

    fn lead_or_sit(&mut self, reader: usize, contend: Phase) -> Did {
        match self.state.processes[home(reader)].flight {
            Some(flight) => self.sit(reader, flight),
            None => {
                self.board(reader);
                self.enter(reader, contend);
                What::Leads.into()
            }
        }
    }

    /// A GET, or a refusal of the lease that tells what stands there.
    fn look(&mut self, reader: usize, epoch: Epoch, leads: bool) -> Did {
        let same_server = epoch == self.state.processes[home(reader)].epoch;
        let goes_on = |seen| match self.config.flies_early() && !leads {
            true => Phase::Looked { seen, epoch },
            false => Phase::Contend { seen, epoch },
        };
        let (phase, what) = match self.state.key {
            key if self.config.is_dead(&self.state, key, home(reader)) => (
                key.token()
                    .map_or(Phase::Again, |token| goes_on(Seen::Dead(token))),
                What::SeesDead,
            ),
            Key::Absent => (goes_on(Seen::Absent), What::SeesNothing),
            Key::Lease { token, .. } => match self.flight_with(token, reader) {
                Some(flight) => return self.sit(reader, flight),
                None => (goes_on(Seen::Leased), What::SeesLease),
            },
            Key::Tombstone { .. } => return self.give_up(reader, What::SeesTombstone),
            Key::Value {
                token,
                version,
                stale,
                ..
            } if same_server || !self.config.looks_again() => {
                let flaw = self.returns(reader, version);
                let flaw = flaw.or(self.land(reader, Landing::of_hit(self.config, version)));
                let refreshes = stale && self.config.refresh.is_some();
                if refreshes {
                    self.enter(reader, Phase::Refresh { token, epoch });
                }
                let what = if refreshes {
                    What::HitsStale
                } else {
                    What::Hits
                };
                return what.of(version).with(flaw);
            }
            Key::Value { version, .. } => {
                self.enter(reader, Phase::Again);
                let flaw = self.land(reader, Landing::Again);
                return What::LooksAgain.of(version).with(flaw);
            }
        };
        self.enter(reader, phase);
        what.into()
    }

    fn acquire(&mut self, reader: usize, over: Option<Token>, epoch: Epoch) -> Did {
        let token = match self.config.lease {
            Lease::None => {
                self.enter(reader, Phase::Load { token: 0, epoch });
                return What::Misses.into();
            }
            Lease::PerProcess => 1 + home(reader) as u8,
            Lease::PerAttempt => self.state.fresh_token(),
        };
        let lease = Key::Lease { token, epoch };
        if !server::acquire(&mut self.state.key, over, lease) {
            let did = self.look(reader, epoch, true);
            return What::IsRefusedLease.of(did.version).with(did.flaw);
        }
        self.enter(reader, Phase::Load { token, epoch });
        if matches!(
            self.config.sharing,
            Sharing::UntilAnswered | Sharing::UntilSent
        ) && self.state.processes[home(reader)].flight.is_none()
        {
            self.board(reader);
        }
        match over {
            None => What::TakesLease.into(),
            Some(_) => What::TakesOverDead.into(),
        }
    }

    /// On without the cache, and whoever waits here as well.
    fn give_up(&mut self, reader: usize, what: What) -> Did {
        self.enter(reader, Phase::Bypass);
        let flaw = self.land(reader, Landing::Bypass);
        Did::from(what).with(flaw)
    }
}
