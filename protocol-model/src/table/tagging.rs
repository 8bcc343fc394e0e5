//! Tags: an entry lives as long as its generation of the tag.

use super::Verdict::{Holds, StaleRead, Stranded};
use super::{Row, SHIPPED, row};
use crate::config::{Call, Config, Journal, Sharing, Way};
use crate::event::What;
use crate::server::Condition;
use crate::tag::{Change, Origin, Recheck, Second, Stamping, Tags};

/// As shipped, of a tag that is known from the function's arguments.
const TAGS: Tags = Tags {
    origin: Origin::Arguments,
    unshared: false,
    stamp: Stamping::BeforeLoad,
    recheck: Recheck::Always,
    change: Change::Unlink,
    evicted: false,
    second: Second::None,
};

const fn with(tags: Tags) -> Config {
    Config {
        tags: Some(tags),
        writers: [Way::InvalidateTag; 2],
        ..SHIPPED
    }
}

/// The tag is known before the load.
pub(super) fn known_before() -> Vec<Row> {
    let tagged = with(TAGS);
    let counted = Tags {
        change: Change::Count,
        ..TAGS
    };
    vec![
        row(
            "t1",
            "entries are stamped with the generation that the fill finds",
            Stranded,
            with(Tags {
                stamp: Stamping::AtFill,
                ..TAGS
            }),
        ),
        row(
            "t2",
            "stamped before the load, and a fill that won is shared at once",
            StaleRead,
            with(Tags {
                recheck: Recheck::Never,
                ..TAGS
            }),
        ),
        row(
            "t3",
            "as shipped: stamped before the load, shared if the generation is still the same after the fill",
            Holds(&[
                What::CreatesGeneration,
                What::ReadsGeneration,
                What::Joins,
                What::RereadsSame,
                What::RereadsOther,
                What::Shares,
                What::SeesDead,
                What::TakesOverDead,
                What::Refused,
                What::Dropped,
            ]),
            tagged,
        ),
        row(
            "t3b",
            "shared by who saw the leader's lease and its generation itself",
            Holds(&[What::Joins, What::Shares, What::SeesDead]),
            Config {
                sharing: Sharing::OwnLook,
                ..tagged
            },
        ),
        row(
            "t4",
            "t3 with stale-while-revalidate",
            Holds(&[
                What::HitsStale,
                What::RefreshStored,
                What::RefreshRefused,
                What::RereadsOther,
            ]),
            Config {
                refresh: Some(Condition::Token),
                // Fewer states; other rows have dropped readers.
                drops: false,
                ..tagged
            },
        ),
        row(
            "t4b",
            "t3 with .refreshed()",
            Holds(&[
                What::FencedByEntry,
                What::FencedByLease,
                What::RefreshStored,
                What::RefreshRefused,
                What::Seizes,
            ]),
            Config {
                readers: [Call::Refreshed, Call::Read, Call::Read],
                ..tagged.one_writer()
            },
        ),
        row(
            "t5",
            "t3, and an invalidation sets a new random generation; beside one of the entry",
            Holds(&[What::InvalidatesTag, What::Invalidates, What::RereadsOther]),
            Config {
                writers: [Way::InvalidateTag, Way::Invalidate],
                drops: false,
                ..with(Tags {
                    change: Change::Renew,
                    ..TAGS
                })
            },
        ),
        row(
            "t6",
            "t3, and the generation is evicted at any time",
            Holds(&[What::GenerationGoes, What::RereadsOther, What::SeesDead]),
            with(Tags {
                evicted: true,
                ..TAGS
            })
            .one_writer(),
        ),
        row(
            "t6b",
            "t6 with counters, which begin anew at 1",
            Stranded,
            with(Tags {
                evicted: true,
                ..counted
            }),
        ),
        row(
            "t6c",
            "counters that are never lost",
            Holds(&[What::CreatesGeneration, What::RereadsOther, What::SeesDead]),
            with(counted).one_writer(),
        ),
        row(
            "t7",
            "t3, the generation is read with one command and the entry with a later one",
            Holds(&[
                What::ReadsTagFirst,
                What::RereadsSame,
                What::RereadsOther,
                What::SeesDead,
            ]),
            with(Tags {
                unshared: true,
                ..TAGS
            })
            .one_writer(),
        ),
        row(
            "t8",
            "t3, and Redis is out of reach for a writer: d2 with tags",
            Holds(&[
                What::IsJournaled,
                What::FindsJournaled,
                What::ReplayAnswered,
                What::RereadsOther,
            ]),
            Config {
                writer_home: [0, 0],
                journal: Some(Journal::SHIPPED),
                ..tagged.one_writer()
            },
        ),
    ]
}

/// A load gives two tags their generations, and a reader asks for the entry of one under the other.
pub(super) fn two_at_once() -> Vec<Row> {
    let asked_under = |second| Config {
        readers: [Call::Read, Call::Read, Call::Get],
        ..with(Tags { second, ..TAGS })
    };
    vec![
        row(
            "t9",
            "two tags get the same generation, and a stamp is of generations alone",
            StaleRead,
            asked_under(Second::Alike),
        ),
        row(
            "t9b",
            "t9, each gets one of its own",
            Holds(&[
                What::CreatesGeneration,
                What::InvalidatesTag,
                What::Hits,
                What::GetsDead,
                What::GetsNothing,
            ]),
            asked_under(Second::Unshared),
        ),
    ]
}

/// The tag is known from what was loaded.
pub(super) fn known_after() -> Vec<Row> {
    let late = Tags {
        origin: Origin::Result,
        ..TAGS
    };
    vec![
        row(
            "k1",
            "a tag found while loading; its generation is read then",
            Stranded,
            with(Tags {
                stamp: Stamping::AtFill,
                ..late
            }),
        ),
        row(
            "k2",
            "a marker with its name is stored; who finds that reads the generation before it loads",
            Holds(&[
                What::Marks,
                What::SharesNot,
                What::SeesMarker,
                What::TakesOverDead,
                What::CreatesGeneration,
                What::SeesTagged,
                What::WeighsLive,
                What::WeighsDead,
                What::RereadsSame,
                What::RereadsOther,
            ]),
            with(late),
        ),
        row(
            "k2b",
            "k2, and who joined the load before the marker shares it",
            StaleRead,
            with(Tags {
                recheck: Recheck::Stamped,
                ..late
            }),
        ),
        row(
            "k3",
            "the entry does not name the tag, so readers do not read its generation",
            Stranded,
            with(Tags {
                stamp: Stamping::Never,
                ..late
            }),
        ),
    ]
}

/// The load calls another function whose entry has the tag.
pub(super) fn nesting() -> Vec<Row> {
    let nested = Tags {
        origin: Origin::Inner,
        ..TAGS
    };
    let both = |inherited| Tags {
        origin: Origin::Both { inherited },
        ..TAGS
    };
    vec![
        row(
            "i1",
            "a load calls a cached function: its entry names the inner tag, with the inner stamp",
            Holds(&[
                What::InnerHits,
                What::InnerMisses,
                What::InnerStored,
                What::InnerRefused,
                What::WeighsLive,
                What::WeighsDead,
                What::RereadsSame,
                What::RereadsOther,
                What::Shares,
            ]),
            with(nested).one_writer(),
        ),
        row(
            "i2",
            "the outer entry knows nothing of the inner tag",
            Stranded,
            with(Tags {
                stamp: Stamping::Never,
                recheck: Recheck::Never,
                ..nested
            }),
        ),
        row(
            "i3",
            "the outer entry is stamped with the generation that its fill finds",
            Stranded,
            with(Tags {
                stamp: Stamping::AtFill,
                ..nested
            }),
        ),
        row(
            "i4",
            "i1, and the load finds that very tag in a part of its own: a marker first, as in k2",
            Holds(&[
                What::OwnLoads,
                What::InnerHits,
                What::InnerMisses,
                What::Marks,
                What::SeesMarker,
                What::KeepsNot,
                What::RereadsSame,
                What::RereadsOther,
            ]),
            with(both(false)).one_writer(),
        ),
        row(
            "i4b",
            "i4, and the inner generation does for both",
            Stranded,
            with(both(true)).one_writer(),
        ),
    ]
}
