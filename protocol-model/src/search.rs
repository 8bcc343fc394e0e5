//! A reader's way to a value, or to the right to load it.

use crate::actor::{Loaded, Phase, Seen, Stamp, Tag};
use crate::config::{Call, Lease, Promise, Sharing};
use crate::event::{Flaw, What, Who};
use crate::flight::Landing;
use crate::server;
use crate::state::{Epoch, Flight, Key, State, Token, Version};
use crate::step::{Did, Next, Steps, home};
use crate::{Config, expired};

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
        Phase::Looked { seen, stamp } => {
            steps.add(me, |next| {
                next.lead_or_sit(reader, Phase::Contend { seen, stamp })
            });
        }
        Phase::Contend { seen, stamp } => contend(steps, reader, seen, stamp),
        Phase::Seated { .. } => steps.add(me, |next| next.give_up(reader, What::GivesUp)),
        _ => {}
    }
}

fn contend(steps: &mut Steps<'_>, reader: usize, seen: Seen, stamp: Stamp) {
    let me = Who::Reader(reader);
    let connected = steps.reaches_redis(home(reader));
    if connected {
        match seen {
            Seen::Leased => steps.add(me, |next| next.look(reader, stamp.epoch, true)),
            Seen::Absent => steps.add(me, |next| next.acquire(reader, None, stamp)),
            Seen::Dead(over) => steps.add(me, |next| next.acquire(reader, Some(over), stamp)),
            Seen::Expired(token, kept) => expired::steps(steps, reader, token, kept, stamp),
        }
    }
    if seen == Seen::Leased || !connected {
        steps.add(me, |next| next.give_up(reader, What::GivesUp));
    }
}

impl Config {
    /// The first two readers are alike and in one process: the order in which they start is all
    /// that tells them apart, so one order is enough.
    fn may_start(&self, state: &State, reader: usize) -> bool {
        let twin = reader == 1 && self.readers[0] == self.readers[1];
        self.readers[reader] != Call::Nothing && !(twin && state.readers[0].phase == Phase::Idle)
    }
}

impl Next<'_> {
    fn start(&mut self, reader: usize) -> Did {
        let home = home(reader);
        let own = self.state.processes[home].floor;
        self.state.readers[reader].floor = match self.config.promise {
            Promise::OnceNoticed if self.state.is_behind(home) => 0,
            _ => self.state.floor.max(own),
        };
        match self.config.readers[reader] {
            Call::Nothing | Call::Read => self.search(reader),
            Call::Refreshed => {
                self.enter(reader, Phase::Fence);
                What::Fences.into()
            }
            Call::Get => self.get(reader),
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

    /// A GET, and with it one of the tag where that is known.
    fn look(&mut self, reader: usize, epoch: Epoch, leads: bool) -> Did {
        let tag = self.seen_tag();
        let stamp = Stamp { epoch, tag };
        match self.config.tags {
            Some(tags) if tags.apart => {
                self.enter(reader, Phase::LookOn { stamp, leads });
                What::ReadsTagFirst.into()
            }
            _ => self.sees(reader, stamp, leads),
        }
    }

    /// What a GET shows, or a refusal of the lease that tells what stands there.
    pub(crate) fn sees(&mut self, reader: usize, stamp: Stamp, leads: bool) -> Did {
        let unnamed = Stamp {
            tag: Tag::Unread,
            ..stamp
        };
        let (seen, stamp, what) = match self.state.key {
            Key::Value {
                token,
                version,
                stamp,
                ..
            } if self.config.is_to_be_weighed(stamp) => {
                let entry = Loaded {
                    token,
                    version,
                    stamp,
                    renews: false,
                };
                self.enter(reader, Phase::Weigh { entry, leads });
                return What::SeesTagged.of(version);
            }
            key if (self.config).is_dead(&self.state, key, home(reader), stamp.tag) => {
                match key.token() {
                    Some(token) => (Seen::Dead(token), stamp, What::SeesDead),
                    None => (Seen::Absent, stamp, What::SeesNothing),
                }
            }
            Key::Absent => (Seen::Absent, stamp, What::SeesNothing),
            Key::Marker { token } => (Seen::Dead(token), unnamed, What::SeesMarker),
            Key::Lease { token, .. } => match self.flight_with(token, stamp.tag, reader) {
                Some(flight) => return self.sit(reader, flight),
                None => (Seen::Leased, stamp, What::SeesLease),
            },
            Key::Tombstone { .. } => return self.give_up(reader, What::SeesTombstone),
            Key::Value {
                token,
                version,
                stale: true,
                ..
            } if self.config.if_error.is_some() => {
                (Seen::Expired(token, version), stamp, What::SeesExpired)
            }
            Key::Value {
                token,
                version,
                stale,
                ..
            } => return self.sees_value(reader, token, version, stale, stamp),
        };
        self.enter(reader, self.config.after_look(seen, stamp, leads));
        what.into()
    }

    fn sees_value(
        &mut self,
        reader: usize,
        token: Token,
        version: Version,
        stale: bool,
        stamp: Stamp,
    ) -> Did {
        let same_server = stamp.epoch == self.state.processes[home(reader)].epoch;
        if self.config.looks_again() && !same_server {
            self.enter(reader, Phase::Again);
            let flaw = self.land(reader, Landing::Again);
            return What::LooksAgain.of(version).with(flaw);
        }
        let flaw = self.hit(reader, version);
        if !(stale && self.config.refresh.is_some()) {
            return What::Hits.of(version).with(flaw);
        }
        self.enter(reader, Phase::Refresh { token, stamp });
        What::HitsStale.of(version).with(flaw)
    }

    /// Ends a read with a value that lives.
    pub(crate) fn hit(&mut self, reader: usize, version: Version) -> Option<Flaw> {
        let flaw = self.returns(reader, version);
        flaw.or(self.land(reader, Landing::of_hit(self.config, version)))
    }

    fn acquire(&mut self, reader: usize, over: Option<Token>, stamp: Stamp) -> Did {
        let token = match self.config.lease {
            Lease::None => {
                self.enter(reader, Phase::Load { token: 0, stamp });
                return What::Misses.into();
            }
            Lease::PerProcess => 1 + home(reader) as u8,
            Lease::PerAttempt => self.state.fresh_token(),
        };
        let lease = Key::Lease {
            token,
            epoch: stamp.epoch,
        };
        if !server::acquire(&mut self.state.key, over, lease) {
            let did = self.sees(reader, stamp, true);
            return What::IsRefusedLease.of(did.version).with(did.flaw);
        }
        self.enter(reader, Phase::Load { token, stamp });
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
