//! A load that calls another cached function, whose entry has a tag. The outer entry gets that tag,
//! too, with the generation that the inner value was loaded under. Where the load has read its own part
//! of the source under that tag, that generation may be one of after its own look, and says nothing.
//!
//! The inner function is one look, one load and one fill; how its readers share a load is what the
//! rest of the model is about. A result that was shared brings the stamp of its leader.

use crate::actor::{Loaded, Phase, Stamp, Tag};
use crate::event::{What, Who};
use crate::flight::Landing;
use crate::state::{Inner, Version};
use crate::step::{Did, Next, Steps, home};

/// What a reader that is inside the inner function can do.
pub(crate) fn steps(steps: &mut Steps<'_>, reader: usize) {
    let me = Who::Reader(reader);
    match steps.now.readers[reader].phase {
        Phase::OwnLoaded(own) => steps.add(me, |next| next.call_inner(reader, own)),
        Phase::InnerLoad {
            own,
            tag: Tag::Unread,
        } => {
            steps.add(me, |next| {
                let (tag, what) = next.name();
                next.enter(reader, Phase::InnerLoad { own, tag });
                what
            });
        }
        Phase::InnerLoad { own, tag } => steps.load(me, |next, inner| {
            next.enter(reader, Phase::InnerFill { own, tag, inner });
            What::InnerLoads.of(inner)
        }),
        Phase::InnerFill { own, tag, inner } if steps.reaches_redis(home(reader)) => {
            for stored in [true, false] {
                steps.add(me, |next| next.inner_fill(reader, own, tag, inner, stored));
            }
        }
        _ => {}
    }
}

impl Next<'_> {
    /// The outer load calls the inner function.
    pub(crate) fn call_inner(&mut self, reader: usize, own: Loaded) -> Did {
        let Some(inner) = self.state.live_inner() else {
            let tag = self.state.shown_tag();
            self.enter(reader, Phase::InnerLoad { own, tag });
            return What::InnerMisses.into();
        };
        let tag = Tag::Read(inner.generation);
        self.inner_returns(reader, own, tag, inner.version, What::InnerHits)
    }

    fn inner_fill(
        &mut self,
        reader: usize,
        own: Loaded,
        tag: Tag,
        version: Version,
        stored: bool,
    ) -> Did {
        let mut what = What::InnerRefused;
        if let (Some(generation), true) = (tag.generation(), stored) {
            self.state.inner = Some(Inner {
                version,
                generation,
            });
            what = What::InnerStored;
        }
        self.inner_returns(reader, own, tag, version, what)
    }

    /// The outer load has what it called for. It is as old as the older one of its parts.
    fn inner_returns(
        &mut self,
        reader: usize,
        own: Loaded,
        inner: Tag,
        version: Version,
        what: What,
    ) -> Did {
        let mut loaded = Loaded {
            version: own.version.min(version),
            ..own
        };
        match own.stamp.tag {
            Tag::Unknown if self.config.inherits() => {
                let tag = inner;
                loaded.stamp = Stamp { tag, ..own.stamp };
            }
            Tag::Read(_) if own.stamp.tag != inner => return self.keep_not(reader, loaded.version),
            _ => {}
        }
        self.enter(reader, Phase::HasLoaded(loaded));
        what.of(version)
    }

    /// The tag was invalidated since the load began: who waited loads for himself.
    fn keep_not(&mut self, reader: usize, version: Version) -> Did {
        let flaw = self.returns_loaded(reader, version);
        let flaw = flaw.or(self.land(reader, Landing::Bypass));
        What::KeepsNot.of(version).with(flaw)
    }
}
