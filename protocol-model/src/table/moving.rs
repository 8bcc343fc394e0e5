//! A slot that goes to another server.

use super::Verdict::{Holds, StaleRead};
use super::{Row, Subject};
use crate::event::What;
use crate::moving::Moves;

/// A takeover as it is survived under epochs.
const TAKEN_OVER: Moves = Moves {
    taken_over: true,
    epochs: true,
    repeats: true,
    from_the_first: false,
};

pub(super) fn rows() -> Vec<Row> {
    let row = |name, about, verdict, moves| Row {
        name,
        about,
        verdict,
        subject: Subject::Moves(moves),
    };
    vec![
        row(
            "v1",
            "a slot is moved with its key, while maps lag",
            Holds(&[
                What::SlotMoves,
                What::HearsOfMove,
                What::Hits,
                What::Stored,
                What::Refused,
            ]),
            Moves {
                taken_over: false,
                epochs: false,
                repeats: false,
                from_the_first: true,
            },
        ),
        row(
            "v2",
            "a replica takes it over that lacks an invalidation",
            StaleRead,
            Moves {
                epochs: false,
                ..TAKEN_OVER
            },
        ),
        row(
            "v3",
            "v2 with epochs: the reads that begin when the old owner has learnt of it, and what it has \
             confirmed meanwhile was repeated",
            Holds(&[
                What::FailsOver,
                What::OldOwnerKnows,
                What::HearsOfMove,
                What::TakesOverDead,
                What::Replays,
                What::Refused,
                What::Hits,
            ]),
            TAKEN_OVER,
        ),
        row(
            "v4",
            "v3, and what the old owner has confirmed is not repeated",
            StaleRead,
            Moves {
                repeats: false,
                ..TAKEN_OVER
            },
        ),
        row(
            "v5",
            "v3 from the first: until the old owner has learnt of it, it answers",
            StaleRead,
            Moves {
                from_the_first: true,
                ..TAKEN_OVER
            },
        ),
    ]
}
