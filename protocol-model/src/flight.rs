//! Flights: how readers of one process share a load made under a lease.

use std::convert::Infallible;

use crate::actor::{Found, Loaded, Phase, Search, Tag};
use crate::config::{Call, Sharing};
use crate::event::Flaw;
use crate::read::{self, Answer, Step};
use crate::state::{Flight, State, Token, Version};
use crate::step::{Next, home};

/// How a flight ends for those in it.
pub(crate) type Landing = read::Landing<Version, Infallible>;

impl State {
    /// Whether anybody could notice how this reader's flight ends.
    pub(crate) fn leads(&self, reader: usize) -> bool {
        self.is_on_board(reader)
            || self
                .readers_of(home(reader))
                .any(|(_, other)| matches!(other.phase, Phase::Seated { leader, .. } if usize::from(leader) == reader))
    }

    fn is_on_board(&self, reader: usize) -> bool {
        self.processes[home(reader)]
            .flight
            .is_some_and(|flight| usize::from(flight.leader) == reader)
    }
}

impl Next<'_> {
    /// Lets newcomers join.
    pub(crate) fn board(&mut self, reader: usize) {
        self.state.processes[home(reader)].flight = Some(Flight {
            leader: reader as u8,
            open: true,
        });
    }

    /// The fill is about to be sent.
    pub(crate) fn close(&mut self, reader: usize) {
        if !self.state.is_on_board(reader) {
            return;
        }
        let flight = &mut self.state.processes[home(reader)].flight;
        match self.config.sharing {
            Sharing::UntilSent => *flight = None,
            Sharing::Flight { .. } => {
                *flight = flight.map(|flight| Flight {
                    open: false,
                    ..flight
                });
            }
            _ => {}
        }
    }

    /// An invalidation was made in this process: its flight is older.
    pub(crate) fn abandon(&mut self, process: usize) {
        if self.config.flies_early() {
            self.state.processes[process].flight = None;
        }
    }

    /// The flight of a reader in the same process that holds the lease which was just seen, and has
    /// read the same of the tag, where such a look is what entitles to share it.
    pub(crate) fn flight_with(&self, seen: Token, tag: Tag, reader: usize) -> Option<Flight> {
        let holds = |phase| {
            matches!(phase, Phase::Load { token, stamp }
                | Phase::HasLoaded(Loaded { token, stamp, .. })
                | Phase::Filling(Loaded { token, stamp, .. })
                if token == seen && stamp.tag == tag)
        };
        let (leader, _) = self
            .state
            .readers_of(home(reader))
            .filter(|_| self.config.sharing == Sharing::OwnLook)
            .find(|(_, other)| holds(other.phase))?;
        Some(Flight {
            leader: leader as u8,
            open: true,
        })
    }

    /// Ends a reader's flight, if it leads one.
    pub(crate) fn land(&mut self, reader: usize, landing: Landing) -> Option<Flaw> {
        if self.state.is_on_board(reader) {
            self.state.processes[home(reader)].flight = None;
        }
        let mut flaw = None;
        for (other, at) in self.state.readers_of(home(reader)) {
            match at.phase {
                Phase::Seated {
                    search,
                    leader,
                    shares,
                } if usize::from(leader) == reader => {
                    flaw = flaw.or(self.landed(other, search, landing.shared_if(shares)));
                }
                _ => {}
            }
        }
        flaw
    }

    fn landed(&mut self, reader: usize, search: Search, landing: Landing) -> Option<Flaw> {
        let entry = |version| Some(Found { token: 0, version });
        // As a result of the source: see `returns_loaded`.
        let lags = self.config.lag && *search.step() == Step::WaitInQueue;
        let waited = *search.step() == Step::WaitInQueue;
        let mut search = search;
        let landing = landing.filter_map(entry);
        let flaw = self.hear(reader, &mut search, Answer::Landed(landing));
        if waited && self.config.readers[reader] == Call::Particular {
            search.refuse();
        }
        let flaw = flaw.or(self.go(reader, search));
        flaw.filter(|_| !lags)
    }
}
