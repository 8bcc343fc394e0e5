//! A reader's way to a value, or to the right to load: the library's own steps, and what they meet here.

use crate::actor::{Found, Loaded, Phase, Search, Tag};
use crate::config::{Call, Lease, Promise, Sharing};
use crate::event::{Flaw, What, Who};
use crate::read::{Answer, Seen, Step};
use crate::server;
use crate::state::{Flight, Key, State, Token};
use crate::step::{Did, Next, Steps, home};
use crate::{Config, expired};

type Heard = Answer<Found, Token, std::convert::Infallible>;

/// What a reader that has no right to load yet can do.
pub(crate) fn steps(steps: &mut Steps<'_>, reader: usize) {
    let me = Who::Reader(reader);
    match steps.now.readers[reader].phase {
        Phase::Idle if steps.config.may_start(steps.now, reader) => {
            steps.add(me, |next| next.start(reader));
        }
        Phase::Search(search) => search_steps(steps, reader, search),
        Phase::Seated { search, .. } if *search.step() == Step::Wait => {
            steps.add(me, |next| next.give_up(reader, search, Answer::Spent));
        }
        _ => {}
    }
}

fn search_steps(steps: &mut Steps<'_>, reader: usize, search: Search) {
    let me = Who::Reader(reader);
    let connected = steps.reaches_redis(home(reader));
    match *search.step() {
        Step::Join => steps.add(me, |next| next.join(reader, search)),
        Step::Enter(_) => steps.add(me, |next| next.lead_or_sit(reader, search)),
        Step::Look { .. } if connected => steps.add(me, |next| next.look(reader, search)),
        Step::Acquire(over) if connected => {
            steps.add(me, |next| next.acquire(reader, search, over));
        }
        Step::Pause => {
            if connected {
                steps.add(me, |next| next.look_again(reader, search));
            }
            steps.add(me, |next| next.give_up(reader, search, Answer::Spent));
        }
        Step::Look { .. } | Step::Acquire(_) => {
            steps.add(me, |next| next.give_up(reader, search, Answer::Away));
        }
        Step::Claim if !connected => {
            steps.add(me, |next| next.give_up(reader, search, Answer::Away));
        }
        _ => expired::steps(steps, reader, search),
    }
}

impl Config {
    /// The first two readers are alike and in one process: the order in which they start is all
    /// that tells them apart, so one order is enough.
    fn may_start(&self, state: &State, reader: usize) -> bool {
        let twin = reader == 1 && self.readers[0] == self.readers[1];
        match self.readers[reader] {
            Call::Nothing => false,
            Call::Inside => self.is_inside(state, reader),
            _ => !(twin && state.readers[0].phase == Phase::Idle),
        }
    }
}

impl Next<'_> {
    fn start(&mut self, reader: usize) -> Did {
        let home = home(reader);
        let own = self.state.processes[home].floor;
        self.state.readers[reader].floor = match self.config.promise {
            Promise::OnceNoticed if self.state.lags(home) => 0,
            _ => self.state.floor.max(own),
        };
        match self.config.readers[reader] {
            Call::Inside if !self.config.transaction.kept => {
                let version = self.state.row + 1;
                let flaw = self.returns(reader, version);
                What::ReadsInside.of(version).with(flaw)
            }
            Call::Nothing | Call::Read | Call::Inside | Call::Particular => {
                self.join(reader, Search::new())
            }
            Call::Refreshed => {
                self.enter(reader, Phase::FillRight);
                What::CallsRefreshed.into()
            }
            Call::Get => self.get(reader),
            Call::Put => {
                let version = self.state.row;
                self.enter(reader, Phase::Put { version });
                What::CallsPut.of(version)
            }
        }
    }

    /// Goes on with the answer to a step.
    pub(crate) fn go_on(
        &mut self,
        reader: usize,
        mut search: Search,
        answer: Heard,
    ) -> Option<Flaw> {
        let flaw = self.hear(reader, &mut search, answer);
        flaw.or(self.go(reader, search))
    }

    /// Takes the answer, and tells those whom it concerns.
    pub(crate) fn hear(
        &mut self,
        reader: usize,
        search: &mut Search,
        answer: Heard,
    ) -> Option<Flaw> {
        let landing = search.steps.next(self.config, answer)?;
        self.land(reader, landing.filter_map(|entry| Some(entry.version)))
    }

    /// On to the next step.
    pub(crate) fn go(&mut self, reader: usize, search: Search) -> Option<Flaw> {
        let Search { token, stamp, .. } = search;
        let phase = match *search.step() {
            Step::Serve(entry) => return self.returns(reader, entry.version),
            Step::Enter(_) if !self.config.flies_early() => {
                return self.go_on(reader, search, Answer::Lead);
            }
            Step::Stamp(_) if stamp.tag != Tag::Unread => {
                return self.go_on(reader, search, Answer::Stamped);
            }
            Step::Load(_) => Phase::Load { token, stamp },
            Step::Bypass => Phase::Pending,
            _ => Phase::Search(search.tidied()),
        };
        self.enter(reader, phase);
        None
    }

    fn join(&mut self, reader: usize, mut search: Search) -> Did {
        let floor = self.state.readers[reader].floor;
        let process = home(reader);
        search.stamp.epoch = self.state.processes[process].epoch;
        let answer = match self.state.processes[process].flight {
            _ if self.config.is_journaled(&self.state, process) => Answer::Barred,
            Some(flight) => return self.sit(reader, search, flight),
            None if self.config.sharing == Sharing::Anytime => {
                self.board(reader);
                Answer::Lead
            }
            None => Answer::Nobody,
        };
        let flaw = self.go_on(reader, search, answer);
        let what = match self.state.readers[reader].phase {
            Phase::Search(search) if *search.step() == Step::Queue => What::FindsJournaled,
            _ => What::Looks,
        };
        what.of(floor).with(flaw)
    }

    fn sit(&mut self, reader: usize, mut search: Search, flight: Flight) -> Did {
        let Flight {
            leader,
            open: shares,
        } = flight;
        let flaw = self.hear(reader, &mut search, Answer::Seat);
        self.seat(reader, search, leader, shares);
        let what = if shares { What::Joins } else { What::JoinsLate };
        what.of(self.state.readers[reader].floor).with(flaw)
    }

    pub(crate) fn seat(&mut self, reader: usize, search: Search, leader: u8, shares: bool) {
        let search = search.tidied();
        let seated = Phase::Seated {
            search,
            leader,
            shares,
        };
        self.enter(reader, seated);
    }

    fn lead_or_sit(&mut self, reader: usize, search: Search) -> Did {
        if let Some(flight) = self.state.processes[home(reader)].flight {
            return self.sit(reader, search, flight);
        }
        let asks = self
            .config
            .journal
            .is_none_or(|journal| journal.asked_again);
        if asks && self.config.is_journaled(&self.state, home(reader)) {
            // No entry has that token.
            let what = match search.step() {
                Step::Enter(Seen::Dead(0)) => What::FindsUnusable,
                _ => What::FindsJournaled,
            };
            let flaw = self.go_on(reader, search, Answer::Barred);
            return Did::from(what).with(flaw);
        }
        self.board(reader);
        let flaw = self.go_on(reader, search, Answer::Lead);
        Did::from(What::Leads).with(flaw)
    }

    /// A GET, and with it one of the tag where that is known.
    fn look(&mut self, reader: usize, mut search: Search) -> Did {
        search.stamp.tag = self.seen_tag();
        match self.config.tags {
            Some(tags) if tags.unshared => {
                self.enter(reader, Phase::LookOn(search));
                What::ReadsTagFirst.into()
            }
            _ => self.sees(reader, search),
        }
    }

    fn look_again(&mut self, reader: usize, mut search: Search) -> Did {
        let flaw = self.hear(reader, &mut search, Answer::Paused);
        let did = self.look(reader, search);
        let flaw = flaw.or(did.flaw);
        did.with(flaw)
    }

    /// What a GET shows, or a refusal of the lease that tells what stands there.
    pub(crate) fn sees(&mut self, reader: usize, mut search: Search) -> Did {
        let tag = search.stamp.tag;
        let (seen, what) = match self.state.key {
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
                search.stamp.tag = Tag::Unknown;
                self.enter(reader, Phase::Weigh { search, entry });
                return What::SeesTagged.of(version);
            }
            key if (self.config).is_dead(&self.state, key, home(reader), tag) => {
                match key.token() {
                    Some(token) => (Seen::Dead(token), What::SeesDead),
                    None => (Seen::Absent, What::SeesNothing),
                }
            }
            Key::Absent => (Seen::Absent, What::SeesNothing),
            Key::Marker { token } => {
                search.stamp.tag = Tag::Unread;
                (Seen::Dead(token), What::SeesMarker)
            }
            Key::Lease { token, .. } => match self.flight_with(token, tag, reader) {
                Some(flight) => return self.sit(reader, search, flight),
                None => (Seen::Leased, What::SeesLease),
            },
            Key::Tombstone { .. } => (Seen::Barred, What::SeesTombstone),
            Key::Value {
                token,
                version,
                stale,
                ..
            } => return self.sees_value(reader, search, Found { token, version }, stale),
        };
        let flaw = self.go_on(reader, search, Answer::Seen(seen, true));
        Did::from(what).with(flaw)
    }

    fn sees_value(&mut self, reader: usize, mut search: Search, entry: Found, stale: bool) -> Did {
        let Found { token, version } = entry;
        let stamp = search.stamp;
        let stands = stamp.epoch == self.state.processes[home(reader)].epoch;
        let seen = match search.step().leads() && search.kept == Some(entry) {
            true => Seen::Expired,
            false => Seen::Live(entry),
        };
        let flaw = self.hear(reader, &mut search, Answer::Seen(seen, stands));
        let what = match search.step() {
            Step::Serve(_) if stale && self.config.if_error.is_some() => {
                search.kept = Some(entry);
                search.steps.unusable(Seen::Expired);
                What::SeesExpired
            }
            Step::Serve(_) if stale && self.config.refresh.is_some() => What::HitsStale,
            Step::Serve(_) => What::Hits,
            Step::Join => What::LooksAgain,
            _ => What::SeesExpired,
        };
        let flaw = flaw.or(self.go(reader, search));
        if what == What::HitsStale {
            self.enter(reader, Phase::Refresh { token, stamp });
        }
        what.of(version).with(flaw)
    }

    fn acquire(&mut self, reader: usize, mut search: Search, over: Option<Token>) -> Did {
        let epoch = search.stamp.epoch;
        let token = match self.config.lease {
            Lease::None => {
                let flaw = self.go_on(reader, search, Answer::Granted);
                return Did::from(What::Misses).with(flaw);
            }
            Lease::PerProcess => 1 + home(reader) as u8,
            Lease::PerAttempt => self.state.fresh_token(),
        };
        if !server::acquire(&mut self.state.key, over, Key::Lease { token, epoch }) {
            let did = match over {
                None => self.sees(reader, search),
                Some(_) => Did::from(What::IsRefusedLease).with(self.go_on(
                    reader,
                    search,
                    Answer::Refused,
                )),
            };
            return What::IsRefusedLease.of(did.version).with(did.flaw);
        }
        search.token = token;
        let flaw = self.go_on(reader, search, Answer::Granted);
        if matches!(
            self.config.sharing,
            Sharing::UntilAnswered | Sharing::UntilSent
        ) && self.state.processes[home(reader)].flight.is_none()
        {
            self.board(reader);
        }
        let what = match over {
            None => What::TakesLease,
            Some(_) => What::TakesOverDead,
        };
        Did::from(what).with(flaw)
    }

    /// On without the cache, or with what it holds.
    fn give_up(&mut self, reader: usize, search: Search, why: Heard) -> Did {
        let what = match (search.step(), why) {
            (Step::Look { .. }, _) => What::FindsRedisAway,
            _ => What::GivesUp,
        };
        let flaw = self.go_on(reader, search, why);
        Did::from(what).with(flaw)
    }
}
