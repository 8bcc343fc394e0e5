//! What a call does next: the part of the read flow that sees bytes alone.
//!
//! The [flow](crate::read::flow) has the function do what only that can ([`Do`]), and tells what came of it.

use std::mem;

use futures_util::FutureExt as _;

use crate::engine::mode;
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::protocol::bypass::BypassLoad;
use crate::protocol::freshness::Freshness;
use crate::protocol::progress::SharedError;
use crate::read::audit;
use crate::read::background::Job;
use crate::read::call::Call;
use crate::read::control::Mode;
use crate::read::local::{self, Shown};
use crate::read::reader::Reader;
use crate::read::right::{Right, Running, Told};
use crate::read::search::{Hit, Lookup, Seen};
use crate::wire::entry::Live;

mod waits;

/// What is next.
pub(crate) enum Next<'a> {
    /// Decode this, and tell whether it can be read.
    Read(Shown),
    Do(Do<'a>),
}

/// Whose turn it is.
pub(crate) enum Turn<'a> {
    /// The driver is to be told what stands under the key.
    Look,
    /// It has to wait, if need be for a load without a lease that is before this one.
    Wait(Option<BypassLoad>),
    Next(Next<'a>),
}

/// What else only the function can do.
pub(crate) enum Do<'a> {
    /// Return what was read last.
    Serve,
    /// Return this error, if it is of the function's type.
    Fail(SharedError),
    /// Run the function.
    Load(Box<Running<'a>>),
    /// The same in a task of its own.
    Detach(Box<Job>),
}

/// One call on its way.
pub(crate) struct Driver<'a> {
    pub(crate) reader: Reader<'a>,
    /// Made for the store.
    lookup: Option<Lookup<'a>>,
    /// Whether the load can go on without its caller.
    detaches: bool,
    at: At,
    /// The entry of what was read last, as far as that can be served. Boxed like all that plain hits have no part
    /// in.
    kept: Option<Box<Live>>,
}

enum At {
    /// An entry, or the right to load, is to be found.
    Search,
    /// An entry has been found, and is being decoded.
    Found(Status),
    /// What was read is served.
    Serve(Status),
    /// It is served, and compared with a load in the background.
    Audit(Status),
    /// It is served, and loaded anew in the background.
    Renew(Status),
    /// It is served if the load fails that was begun, and it still stands then.
    FallBack,
    /// In shadow mode.
    Shadow,
    /// What shadow mode has found is being decoded.
    ShadowFound,
    /// What was read is compared with a load.
    Compare,
    /// Load without looking; `hit`: the cache would have answered.
    Refresh { hit: bool },
}

impl<'a> Driver<'a> {
    pub(crate) fn new(reader: Reader<'a>, call: &Call, detaches: bool) -> Self {
        let at = match call.wish.mode {
            Mode::Cached if call.mode == mode::Mode::Shadow => At::Shadow,
            Mode::Refreshed => At::Refresh { hit: false },
            Mode::Cached | Mode::Uncached => At::Search,
        };
        Self {
            reader,
            lookup: None,
            detaches,
            at,
            kept: None,
        }
    }

    /// What is there without waiting: that needs no future.
    pub(crate) fn at_once(&mut self, asked: local::Asked) -> Option<Shown> {
        if !matches!(self.at, At::Search) {
            return None;
        }
        let (shown, status) = match asked.live(|| self.reader.local()) {
            Some(live) => (Shown::Kept(live), Status::Local),
            None => {
                let (live, status) = self.in_memory()?;
                (Shown::Read(live), status)
            }
        };
        self.at = At::Found(status);
        Some(shown)
    }

    /// The entry of a store that keeps nobody waiting.
    fn in_memory(&mut self) -> Option<(Live, Status)> {
        if !self.reader.inner.store.is_at_once() {
            return None;
        }
        let lookup = self.lookup();
        loop {
            match lookup.hit() {
                Hit::Look => {
                    let seen = lookup.look().now_or_never()?;
                    lookup.saw(seen);
                }
                Hit::Live(live, status) => return Some((live, status)),
                Hit::Nothing => return None,
            }
        }
    }

    fn lookup(&mut self) -> &mut Lookup<'a> {
        let reader = &self.reader;
        self.lookup.get_or_insert_with(|| reader.lookup())
    }

    /// What is next, as far as that can be told without waiting.
    pub(crate) fn ask(&mut self) -> Turn<'a> {
        match self.at {
            At::Search => match self.lookup().hit() {
                Hit::Look => Turn::Look,
                Hit::Live(live, status) => Turn::Next(self.read(live, status)),
                Hit::Nothing => match self.lookup().bypass() {
                    Some(place) if place.has_begun() => Turn::Next(self.load(Right::Bypass(place))),
                    place => Turn::Wait(place),
                },
            },
            At::Serve(status) => Turn::Next(Next::Do(self.serve(status))),
            _ => Turn::Wait(None),
        }
    }

    /// What stands under the key.
    pub(crate) fn look(
        &mut self,
    ) -> impl Future<Output = Result<Seen, StoreError>> + Send + use<'a> {
        self.lookup().look()
    }

    /// Goes on with that.
    pub(crate) fn saw(&mut self, seen: Result<Seen, StoreError>) {
        self.lookup().saw(seen);
    }

    fn read(&mut self, live: Live, status: Status) -> Next<'a> {
        self.at = At::Found(status);
        Next::Read(Shown::Read(live))
    }

    /// The entry could not be decoded.
    pub(crate) fn undecodable(&mut self, shown: Shown) {
        match mem::replace(&mut self.at, At::Search) {
            At::ShadowFound => self.at = At::Refresh { hit: false },
            _ => self.lookup().undecodable(shown.into_live()),
        }
    }

    /// The entry was decoded. Whether it is served and that is all.
    pub(crate) fn serves(&mut self, shown: Shown) -> bool {
        let freshness = self.reader.judge(&shown);
        self.at = match mem::replace(&mut self.at, At::Search) {
            At::ShadowFound => self.shadow(freshness),
            At::Found(status) => match freshness {
                Freshness::Fresh
                    if self.detaches
                        && audit::is_drawn(self.reader.encoder.policy, &shown.header) =>
                {
                    At::Audit(status)
                }
                Freshness::Fresh => {
                    self.reader.serve(&shown, status);
                    return true;
                }
                Freshness::Early => At::Renew(status),
                Freshness::Revalidate => At::Renew(Status::Stale),
                Freshness::IfError if self.reader.inner.renewals.rests(self.reader.key) => {
                    At::Serve(Status::Stale)
                }
                Freshness::IfError => {
                    let patience = self.reader.policy().soft_timeout;
                    self.lookup().expired(Live::clone(&shown), patience);
                    At::Search
                }
                Freshness::Dead => {
                    self.kept = None;
                    self.lookup().outdated(shown.into_live());
                    return false;
                }
            },
            at => at,
        };
        self.kept = Some(Box::new(shown.into_live()));
        false
    }

    fn shadow(&self, freshness: Freshness) -> At {
        match freshness {
            Freshness::Fresh => {
                self.reader.emit(&Event::ShadowHit);
                At::Compare
            }
            // Served all the same, but due to be loaded anew.
            Freshness::Early | Freshness::Revalidate => At::Refresh { hit: true },
            Freshness::IfError | Freshness::Dead => At::Refresh { hit: false },
        }
    }

    /// An error that others have shared is the answer.
    pub(crate) fn failed(&self) {
        self.reader.answered(Status::Joined, None);
    }

    /// A load in a task of its own has ended in time.
    pub(crate) fn told(&self, told: Option<Box<Told>>, is_ok: bool) {
        if let Some(told) = told {
            told.tell(&self.reader, is_ok);
        }
    }

    fn serve(&mut self, status: Status) -> Do<'a> {
        self.at = At::Search;
        if let Some(kept) = self.kept.take() {
            self.reader.serve(&kept, status);
        }
        Do::Serve
    }

    fn load(&self, right: Right) -> Next<'a> {
        Next::Do(Do::Load(self.reader.begin(right)))
    }
}
