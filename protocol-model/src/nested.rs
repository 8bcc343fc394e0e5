//! A load that calls another cached function, whose entry has a tag. The outer entry gets that tag,
//! too, with the generation that the inner value was loaded under.
//!
//! The inner function is one look, one load and one fill; how its readers share a load is what the
//! rest of the model is about. A result that was shared brings the stamp of its leader.

use crate::actor::{Loaded, Phase, Stamp, Tag};
use crate::event::{What, Who};
use crate::state::{Inner, Token};
use crate::step::{Did, Next, Steps, home};
use crate::tag::Stamping;

/// What a reader that is inside the inner function can do.
pub(crate) fn steps(steps: &mut Steps<'_>, reader: usize) {
    let me = Who::Reader(reader);
    match steps.now.readers[reader].phase {
        Phase::InnerLoad { token, stamp } if stamp.tag == Tag::Unread => {
            steps.add(me, |next| {
                let (tag, what) = next.name();
                let stamp = Stamp { tag, ..stamp };
                next.enter(reader, Phase::InnerLoad { token, stamp });
                what
            });
        }
        Phase::InnerLoad { token, stamp } => steps.load(me, |next, version| {
            let loaded = Loaded {
                token,
                version,
                stamp,
                renews: false,
            };
            next.enter(reader, Phase::InnerFill(loaded));
            What::InnerLoads.of(version)
        }),
        Phase::InnerFill(loaded) if steps.reaches_redis(home(reader)) => {
            for stored in [true, false] {
                steps.add(me, |next| next.inner_fill(reader, loaded, stored));
            }
        }
        _ => {}
    }
}

impl Next<'_> {
    /// The outer load calls the inner function.
    pub(crate) fn call_inner(&mut self, reader: usize, token: Token, stamp: Stamp) -> Did {
        let Some(Inner {
            version,
            generation,
        }) = self.state.live_inner()
        else {
            let tag = self.state.shown_tag();
            let stamp = Stamp { tag, ..stamp };
            self.enter(reader, Phase::InnerLoad { token, stamp });
            return What::InnerMisses.into();
        };
        let tag = Tag::Read(generation);
        self.inner_returns(
            reader,
            Loaded {
                token,
                version,
                stamp: Stamp { tag, ..stamp },
                renews: false,
            },
        );
        What::InnerHits.of(version)
    }

    fn inner_fill(&mut self, reader: usize, loaded: Loaded, stored: bool) -> Did {
        let version = loaded.version;
        self.inner_returns(reader, loaded);
        match loaded.stamp.tag.generation() {
            Some(generation) if stored => {
                self.state.inner = Some(Inner {
                    version,
                    generation,
                });
                What::InnerStored.of(version)
            }
            _ => What::InnerRefused.of(version),
        }
    }

    /// The outer load has what it called for.
    fn inner_returns(&mut self, reader: usize, mut loaded: Loaded) {
        if !self.config.stamps(Stamping::BeforeLoad) {
            loaded.stamp.tag = Tag::Unknown;
        }
        self.enter(reader, Phase::HasLoaded(loaded));
    }
}
