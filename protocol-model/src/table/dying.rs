//! Writers that die between their commit and their invalidation, and write-through in two phases.

use super::Verdict::{Holds, StaleRead, Stranded};
use super::{Row, SHIPPED, row};
use crate::config::{Config, Way};
use crate::event::What;
use crate::server::Condition;

/// Writers that die between their commit and their invalidation.
pub(super) fn crashing() -> Vec<Row> {
    let dying = Config {
        dying: [true; 2],
        ..SHIPPED
    };
    let guarded = Config {
        writers: [Way::TwoPhase; 2],
        ..dying
    };
    let mixed = Config {
        writers: [Way::TwoPhase, Way::Invalidate],
        dying: [true, false],
        ..SHIPPED
    };
    let bare = Config {
        invalidate_spares_tombstones: false,
        ..mixed
    };
    vec![
        row("c1", "one phase", Stranded, dying),
        row(
            "c2",
            "two phases, the tombstone knows one writer",
            Stranded,
            Config {
                writers: [Way::TwoPhaseOfOne; 2],
                ..dying
            },
        ),
        row(
            "c3",
            "two phases, the tombstone knows all writers",
            Holds(&[
                What::BeginsBeside,
                What::EndsBeside,
                What::Ends,
                What::Dies,
                What::TombstoneRunsOut,
                What::SeesTombstone,
                What::Refused,
            ]),
            guarded,
        ),
        row(
            "c4",
            "c3 with a hold shorter than the write",
            Stranded,
            Config {
                short_hold: true,
                ..guarded
            },
        ),
        row(
            "c5",
            "c3 with stale-while-revalidate",
            Holds(&[What::HitsStale, What::RefreshRefused, What::Dies]),
            Config {
                refresh: Some(Condition::Token),
                ..guarded
            },
        ),
        row(
            "c6",
            "c3 beside a writer that deletes whatever stands there",
            Stranded,
            bare,
        ),
        row(
            "c6b",
            "c3 beside a writer whose invalidation spares tombstones",
            Holds(&[What::Taints, What::Dies, What::SeesTombstone]),
            mixed,
        ),
        row(
            "c7",
            "c6, and nobody dies",
            Holds(&[What::Begins, What::EndsWithoutTombstone, What::Refused]),
            Config {
                dying: [false; 2],
                ..bare
            },
        ),
        row(
            "c8",
            "c3, and the tombstone is evicted",
            Stranded,
            Config {
                evicted_tombstones: true,
                ..guarded
            },
        ),
    ]
}

/// Write-through within two phases.
pub(super) fn putting() -> Vec<Row> {
    let put = Way::Put {
        heeds_taint: true,
        heeds_lapse: true,
    };
    let with = |writers| Config { writers, ..SHIPPED };
    let lapsing = |heeds_lapse| Config {
        short_hold: true,
        // Fewer states; other rows have dropped readers.
        drops: false,
        ..with([
            Way::Put {
                heeds_taint: true,
                heeds_lapse,
            },
            Way::Invalidate,
        ])
    };
    vec![
        row(
            "p1",
            "put if no other writer is in progress",
            Stranded,
            with(
                [Way::Put {
                    heeds_taint: false,
                    heeds_lapse: true,
                }; 2],
            ),
        ),
        row(
            "p2",
            "put if no other writer has interfered",
            Holds(&[What::PutsWritten, What::PutRefused, What::BeginsBeside]),
            with([put; 2]),
        ),
        row(
            "p3",
            "p2 against a one-phase writer",
            Holds(&[What::PutsWritten, What::PutRefused, What::Taints]),
            with([put, Way::Invalidate]),
        ),
        row(
            "p4",
            "p2 against a two-phase writer, and both die",
            Holds(&[What::PutsWritten, What::PutRefused, What::Dies]),
            Config {
                dying: [true; 2],
                ..with([put, Way::TwoPhase])
            },
        ),
        row(
            "p5",
            "p3, and the other one deletes whatever stands there",
            Holds(&[What::PutsWritten, What::PutRefused]),
            Config {
                invalidate_spares_tombstones: false,
                ..with([put, Way::Invalidate])
            },
        ),
        row(
            "p6",
            "p3, and a tombstone runs out: its writer begins again, and puts nothing",
            Holds(&[
                What::TombstoneRunsOut,
                What::BeginsAgain,
                What::PutsWritten,
                What::PutRefused,
            ]),
            lapsing(true),
        ),
        row(
            "p6b",
            "p6, and it puts all the same",
            StaleRead,
            lapsing(false),
        ),
    ]
}
