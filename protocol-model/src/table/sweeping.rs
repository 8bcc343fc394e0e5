//! The removal of several keys whose functions call one another.

use super::Verdict::{Holds, Stranded};
use super::{Row, Subject};
use crate::event::What;
use crate::sweep::{Bar, Sweeps};

/// As shipped, where one command does not take all.
const SWEEP: Sweeps = Sweeps {
    at_once: false,
    passes: 2,
    bar: Bar::Asked,
};

pub(super) fn rows() -> Vec<Row> {
    let apart = |asked| Sweeps {
        bar: Bar::Tombstones { asked },
        ..SWEEP
    };
    let row = |name, about, verdict, sweeps| Row {
        name,
        about,
        verdict,
        subject: Subject::Sweeps(sweeps),
    };
    vec![
        row(
            "w1",
            "all keys of functions that call one another are removed in one step",
            Holds(&[What::RemovesAll, What::Stored, What::Refused]),
            Sweeps {
                at_once: true,
                ..SWEEP
            },
        ),
        row(
            "w2",
            "they are removed one by one",
            Stranded,
            Sweeps {
                passes: 1,
                bar: Bar::Missing,
                ..SWEEP
            },
        ),
        row(
            "w3",
            "w2, twice",
            Stranded,
            Sweeps {
                bar: Bar::Missing,
                ..SWEEP
            },
        ),
        row(
            "w4",
            "w2 behind a bar that holds up fills",
            Stranded,
            Sweeps { passes: 1, ..SWEEP },
        ),
        row(
            "w5",
            "twice, behind a bar that is asked whether it stood until the end",
            Holds(&[
                What::RemovesOne,
                What::BeginsPass,
                What::LiftsBar,
                What::FindsNoBar,
                What::BarRunsOut,
                What::FillBarred,
                What::Stored,
                What::Refused,
                What::Hits,
            ]),
            SWEEP,
        ),
        row(
            "w6",
            "w5, and the bar is not asked",
            Stranded,
            Sweeps {
                bar: Bar::Trusted,
                ..SWEEP
            },
        ),
        row(
            "w7",
            "on several servers: a tombstone under each key, and when all have one they are removed",
            Holds(&[
                What::RemovesOne,
                What::BeginsPass,
                What::LiftsBar,
                What::FindsNoBar,
                What::TombstoneEvicted,
                What::Stored,
                What::Refused,
                What::Hits,
            ]),
            apart(true),
        ),
        row(
            "w8",
            "w7, and nobody looks whether the tombstones stood until then",
            Stranded,
            apart(false),
        ),
    ]
}
