//! Tags: whoever reads an entry compares the generation it was stamped with to the one that stands
//! under the tag's key, and whoever fills has read that before its load.

use crate::actor::{Found, Loaded, Phase, Search, Stamp, Tag};
use crate::config::Config;
use crate::event::{What, Who};
use crate::read::{Answer, Fill, Seen, Step};
use crate::state::{Generation, Key, Version};
use crate::step::{Did, Next, Steps, home};

/// A tag of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tags {
    /// Where it comes from.
    pub origin: Origin,
    /// A look reads the generation with one command and the entry with a later one.
    pub unshared: bool,
    /// When the generation is read that an entry is stamped with.
    pub stamp: Stamping,
    /// Which loads are shared only if the generation is still the one they were stamped with.
    pub recheck: Recheck,
    /// What an invalidation does to the generation.
    pub change: Change,
    /// The generation may be evicted.
    pub evicted: bool,
    /// Another tag that some load has, too.
    pub second: Second,
}

/// A tag that gets its generation together with that of the entry, and that the entry does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// There is none.
    None,
    /// It gets one of its own.
    Unshared,
    /// It gets the same one, and no entry says of which tag its generation is.
    Alike,
}

/// Where a tag comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The function's arguments: each look reads its generation as well.
    Arguments,
    /// What was loaded. The entry names the tag, and who has read the entry reads the generation.
    Result,
    /// Another cached function that the load calls. The entry names it, as above.
    Inner,
    /// What was loaded, and such a function as well.
    Both {
        /// The generation of the inner value does for what the load itself has found.
        inherited: bool,
    },
}

/// When the generation is read that an entry is stamped with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamping {
    /// Before the load; where the tag is not known by then, a marker is stored in the entry's place.
    BeforeLoad,
    /// When the fill is sent.
    AtFill,
    /// Never: the entry says nothing of the tag.
    Never,
}

/// Which loads are shared only if the generation is still the one they were stamped with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recheck {
    /// None.
    Never,
    /// Those that have a stamp.
    Stamped,
    /// All; those without a stamp are not shared.
    Always,
}

/// What the invalidation of a tag does to its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `UNLINK`; whoever loads next creates a random one.
    Unlink,
    /// `SET` of a new random one.
    Renew,
    /// `INCR`; whoever finds none creates 1.
    Count,
}

/// What a reader that deals with a tag's generation can do.
pub(crate) fn steps(steps: &mut Steps<'_>, reader: usize) {
    let me = Who::Reader(reader);
    let connected = steps.reaches_redis(home(reader));
    match steps.now.readers[reader].phase {
        Phase::LookOn(search) if connected => steps.add(me, |next| next.sees(reader, search)),
        Phase::Weigh { search, entry } if connected => {
            steps.add(me, |next| next.weigh(reader, search, entry));
        }
        Phase::Search(search) if matches!(search.step(), Step::Stamp(_)) => {
            steps.add(me, |next| {
                let (tag, what) = next.name();
                let stamp = Stamp {
                    tag,
                    ..search.stamp
                };
                let flaw = next.go_on(reader, Search { stamp, ..search }, Answer::Stamped);
                Did::from(what).with(flaw)
            });
        }
        Phase::Reread { version, same } => {
            steps.add(me, |next| next.lands(reader, version, Fill::Reread, same));
            if steps.config.drops {
                steps.add(me, |next| next.lose_answer(reader, Phase::Done));
            }
        }
        _ => {}
    }
}

impl Config {
    /// Whether an entry is of another generation than the one that was read.
    pub(crate) fn is_outdated(key: Key, tag: Tag) -> bool {
        matches!(key, Key::Value { stamp, .. } if stamp.tag != Tag::Unknown && stamp.tag != tag)
    }

    /// Whether the tag has to be read after the entry that names it.
    pub(crate) fn is_to_be_weighed(&self, stamp: Stamp) -> bool {
        let named = |tags: Tags| tags.origin != Origin::Arguments;
        self.tags.is_some_and(named) && stamp.tag != Tag::Unknown
    }

    /// Whether the generation must be read or created before the load.
    pub(crate) fn is_to_be_read(&self, stamp: Stamp) -> bool {
        self.stamps(Stamping::BeforeLoad) && stamp.tag == Tag::Unread
    }

    /// Whether what was loaded must not be stored, only the name of its tag.
    pub(crate) fn marks(&self, loaded: Loaded) -> bool {
        self.stamps(Stamping::BeforeLoad) && loaded.stamp.tag == Tag::Unknown
    }

    pub(crate) fn stamps(&self, when: Stamping) -> bool {
        self.tags.is_some_and(|tags| tags.stamp == when)
    }

    pub(crate) fn calls_inner(&self) -> bool {
        let calls = |tags: Tags| matches!(tags.origin, Origin::Inner | Origin::Both { .. });
        self.tags.is_some_and(calls)
    }

    /// Whether the load has a part of its own beside that.
    pub(crate) fn loads_own(&self) -> bool {
        let both = |tags: Tags| matches!(tags.origin, Origin::Both { .. });
        self.tags.is_some_and(both)
    }

    /// Whether the tag of an inner value does for the whole.
    pub(crate) fn inherits(&self) -> bool {
        let inherits = |tags: Tags| match tags.origin {
            Origin::Both { inherited } => inherited,
            _ => true,
        };
        self.stamps(Stamping::BeforeLoad) && self.tags.is_some_and(inherits)
    }

    fn counts_generations(&self) -> bool {
        self.tags.is_some_and(|tags| tags.change == Change::Count)
    }
}

impl Next<'_> {
    /// What a look at the key shows of the tag.
    pub(crate) fn seen_tag(&self) -> Tag {
        match self.config.tags {
            Some(tags) if tags.origin == Origin::Arguments => self.state.shown_tag(),
            _ => Tag::Unknown,
        }
    }

    /// `SET NX GET` of a generation.
    pub(crate) fn name(&mut self) -> (Tag, What) {
        let what = match self.state.tag {
            0 => What::CreatesGeneration,
            _ => What::ReadsGeneration,
        };
        if self.state.tag == 0 {
            self.state.tag = self.new_generation();
            self.name_second();
        }
        (Tag::Read(self.state.tag), what)
    }

    fn name_second(&mut self) {
        if self.state.second == 0 {
            self.state.second = match self.config.tags.map(|tags| tags.second) {
                Some(Second::Unshared) => self.state.fresh_generation(),
                Some(Second::Alike) => self.state.tag,
                Some(Second::None) | None => 0,
            };
        }
    }

    /// An MGET of the entry and of the second tag.
    pub(crate) fn get(&mut self, reader: usize) -> Did {
        let second = self.state.second;
        match self.state.key {
            Key::Value { version, stamp, .. } if stamp.tag.generation() == Some(second) => {
                let flaw = self.returns(reader, version);
                What::GetsLive.of(version).with(flaw)
            }
            Key::Value { version, .. } => self.gets_nothing(reader, What::GetsDead.of(version)),
            _ => self.gets_nothing(reader, What::GetsNothing.into()),
        }
    }

    fn gets_nothing(&mut self, reader: usize, did: Did) -> Did {
        self.enter(reader, Phase::Done);
        self.state.readers[reader].floor = 0;
        did
    }

    fn new_generation(&self) -> Generation {
        match self.config.counts_generations() {
            true => 1,
            false => self.state.fresh_generation(),
        }
    }

    /// An invalidation of the tag.
    pub(crate) fn change_tag(&mut self) -> What {
        self.state.tag = match self.config.tags.map(|tags| tags.change) {
            Some(Change::Renew) => self.state.fresh_generation(),
            Some(Change::Count) => self.state.tag + 1,
            Some(Change::Unlink) | None => 0,
        };
        What::InvalidatesTag
    }

    fn weigh(&mut self, reader: usize, search: Search, entry: Loaded) -> Did {
        let tag = self.state.shown_tag();
        let Loaded { token, version, .. } = entry;
        let (seen, did) = match tag == entry.stamp.tag {
            true => (
                Seen::Live(Found { token, version }),
                What::WeighsLive.of(version),
            ),
            false => (Seen::Dead(token), What::WeighsDead.into()),
        };
        let stamp = Stamp { tag, ..entry.stamp };
        let search = Search { stamp, ..search };
        did.with(self.go_on(reader, search, Answer::Seen(seen, true)))
    }

    /// The generation is read again after a fill that won.
    pub(crate) fn reread(&mut self, reader: usize, version: Version, stamp: Stamp) -> Did {
        let same = stamp.tag == self.state.shown_tag();
        self.enter(reader, Phase::Reread { version, same });
        let what = match same {
            true => What::RereadsSame,
            false => What::RereadsOther,
        };
        what.into()
    }
}
