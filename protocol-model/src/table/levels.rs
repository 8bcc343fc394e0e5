//! A level in process memory.

use super::Verdict::{Holds, StaleRead};
use super::{Row, Subject, Verdict};
use crate::event::What;
use crate::level::{Level, Move, Tracking, Way, Write};
use crate::local::Rule;

pub(super) const DESIGNED: Level = Level::designed();

/// With one writer, in the other process; and with one in the same. The rows that are broken need no more.
pub(super) const OTHER: Level = Level {
    writers: [Some(Write::key(1)), None],
    ..DESIGNED
};
pub(super) const OWN: Level = Level {
    writers: [Some(Write::key(0)), None],
    ..DESIGNED
};

pub(super) fn row(name: &'static str, about: &'static str, verdict: Verdict, level: Level) -> Row {
    let subject = Subject::Level(level);
    Row {
        name,
        about,
        subject,
        verdict,
    }
}

/// What binds the reads that start `delta` after an invalidation has returned, and in its process at once.
pub(super) fn bounded() -> Vec<Row> {
    let flushed = Level {
        writers: [Some(Write::new(1, Way::Flush)), None],
        ..DESIGNED
    };
    let journal = Level {
        journal: true,
        ..DESIGNED
    };
    let journal_own = Level {
        journal: true,
        ..OWN
    };
    vec![
        row(
            "l1",
            "as designed: tracking, tickets, a horizon",
            Holds(&[
                What::HitsLocal,
                What::Keeps,
                What::KeepsNotVoided,
                What::GoesOnBelow,
                What::HearsOfChange,
                What::NoticesLoss,
                What::TrackingGoes,
            ]),
            DESIGNED,
        ),
        row(
            "l2",
            "l1, and an answer is kept although its item was dropped since it was asked for",
            StaleRead,
            OTHER.without(Rule::ComparesDrops),
        ),
        row(
            "l2b",
            "l1, and although the link was lost since then",
            StaleRead,
            OTHER.without(Rule::ComparesEra),
        ),
        row(
            "l2c",
            "l1, and what was loaded is kept as well",
            StaleRead,
            OTHER.without(Rule::KeepsWhatIsRead),
        ),
        row(
            "l3",
            "l1, and a process drops what it invalidates before it sends that, not when it is confirmed",
            StaleRead,
            OWN.without(Rule::DropsAfter),
        ),
        row(
            "l3b",
            "l1, and it drops it when that is confirmed, not before",
            Holds(&[What::HitsLocal, What::KeepsNotVoided]),
            DESIGNED.without(Rule::DropsBefore),
        ),
        row(
            "l4",
            "l1, and what is loaded here is not announced here (NOLOOP)",
            StaleRead,
            Level {
                tracking: Tracking::NoLoop,
                refreshes: true,
                ..OTHER
            },
        ),
        row(
            "l5",
            "l1 without a horizon",
            StaleRead,
            OTHER.without(Rule::HeedsHorizon),
        ),
        row(
            "l5b",
            "l1, and the horizon is the time of the newest answer",
            StaleRead,
            OTHER.without(Rule::HorizonBySending),
        ),
        row(
            "l6",
            "l1, and what is kept outlives its link",
            StaleRead,
            OTHER.without(Rule::VoidsAtLoss),
        ),
        row(
            "l7",
            "l1, and somebody removes everything",
            Holds(&[What::HitsLocal, What::HearsOfFlush]),
            flushed,
        ),
        row(
            "l7b",
            "l7, and what is kept outlives that",
            StaleRead,
            flushed.without(Rule::VoidsAtFlush),
        ),
        row(
            "l8",
            "l1 beside the journal",
            Holds(&[What::HitsLocal, What::IsJournaled, What::ReplayAnswered]),
            journal,
        ),
        row(
            "l8b",
            "l8, and what waits there is served",
            StaleRead,
            journal_own.without(Rule::HeedsJournal),
        ),
        row(
            "l8c",
            "l8, and a process drops nothing before it sends",
            Holds(&[What::HitsLocal, What::IsJournaled, What::ReplayAnswered]),
            journal.without(Rule::DropsBefore),
        ),
        row(
            "l9",
            "l1, and the clock stands still while the machine sleeps",
            StaleRead,
            Level {
                readers: [Some(1), None],
                sleeps: true,
                ..OWN
            },
        ),
    ]
}

/// Tracking of everything (BCAST): reads go over another connection.
pub(super) fn broadcast() -> Vec<Row> {
    let broadcast = |overtaken, level| Level {
        tracking: Tracking::Broadcast { overtaken },
        elsewhere: [true, false],
        ..level
    };
    vec![
        row(
            "m1",
            "every change is announced (BCAST), and reads go over another connection",
            Holds(&[What::HitsLocal, What::Keeps, What::KeepsNotVoided]),
            broadcast(false, DESIGNED),
        ),
        row(
            "m2",
            "m1, and answers may leave the server before announcements",
            StaleRead,
            broadcast(true, OTHER),
        ),
        row(
            "m3",
            "m1, and answers of the other connection move the horizon",
            StaleRead,
            broadcast(false, OTHER).without(Rule::HorizonByLink),
        ),
    ]
}

/// Entries with a tag, whose generation is an item of its own.
pub(super) fn tagging() -> Vec<Row> {
    let tagged = |level| Level {
        tagged: true,
        // Fewer states; other rows have both.
        forgets: false,
        cuts: false,
        ..level
    };
    let by_tag = |home| Level {
        writers: [Some(Write::new(home, Way::InvalidateTag)), None],
        ..tagged(DESIGNED)
    };
    let both = Level {
        writers: [Some(Write::new(1, Way::InvalidateTag)), Some(Write::key(0))],
        ..tagged(DESIGNED)
    };
    vec![
        row(
            "g1",
            "l1 with a tag, whose generation is kept as an item of its own",
            Holds(&[
                What::HitsLocal,
                What::Keeps,
                What::KeepsNotVoided,
                What::TakesOverDead,
            ]),
            both,
        ),
        row(
            "g2",
            "g1, and generations are read over another connection",
            StaleRead,
            Level {
                elsewhere: [false, true],
                ..by_tag(1)
            },
        ),
        row(
            "g3",
            "g1, and a generation is kept on the ticket of its entry",
            StaleRead,
            Level {
                one_ticket: true,
                ..by_tag(1)
            },
        ),
        row(
            "g4",
            "g1, and an entry is served beside any generation",
            StaleRead,
            by_tag(1).without(Rule::ComparesStamps),
        ),
        row(
            "g5",
            "g1, and a process does not drop a generation when its own invalidation is confirmed",
            StaleRead,
            by_tag(0).without(Rule::DropsAfter),
        ),
        row(
            "g6",
            "g1, and writers wait until their invalidations have settled",
            Holds(&[What::HitsLocal, What::HasSettled]),
            Level {
                settles: true,
                ..by_tag(1)
            },
        ),
    ]
}

/// The slot of the key moves, or a replica takes over, and for a while the old owner goes on as before.
pub(super) fn moving() -> Vec<Row> {
    let by = |moves| Level {
        moves: Some(moves),
        // Fewer states; other rows have links that die.
        cuts: false,
        ..OTHER
    };
    let moves = |asked, from_known| {
        by(Move {
            asked,
            from_known,
            elected_first: false,
            trims_at_once: false,
        })
    };
    let elected_first = |trims_at_once| {
        by(Move {
            asked: true,
            from_known: true,
            elected_first: true,
            trims_at_once,
        })
    };
    vec![
        row(
            "h1",
            "the slot moves, PINGs ask for the epoch: bound by delta and by what the old owner needs to learn of it",
            Holds(&[
                What::HitsLocal,
                What::SlotMoves,
                What::HearsOfMove,
                What::IsRedirected,
                What::OldOwnerTrims,
            ]),
            moves(true, true),
        ),
        row(
            "h2",
            "h1, bound by delta alone",
            StaleRead,
            moves(true, false),
        ),
        row(
            "h3",
            "h1, and PINGs ask for nothing",
            StaleRead,
            moves(false, true),
        ),
        row(
            "h4",
            "h1, and what is kept outlives the news",
            StaleRead,
            moves(true, true).without(Rule::VoidsAtMove),
        ),
        row(
            "h5",
            "h1, and the writer is in the process of the reader",
            Holds(&[What::HitsLocal, What::IsRedirected]),
            Level {
                writers: OWN.writers,
                ..moves(true, true)
            },
        ),
        row(
            "h6",
            "h1, and the old owner hears of an election first, is read again, and announces what it removes when it \
             knows",
            Holds(&[
                What::HitsLocal,
                What::OldOwnerHears,
                What::HearsOfMove,
                What::HearsOfChange,
                What::IsRedirected,
            ]),
            elected_first(true),
        ),
        row(
            "h7",
            "h6, and it removes nothing then",
            StaleRead,
            elected_first(false),
        ),
    ]
}
