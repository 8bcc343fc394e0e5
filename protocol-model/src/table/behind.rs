//! Write-behind.

use super::Verdict::{Backwards, Holds, Lost, StaleRead, Stranded};
use super::{Row, Subject, Verdict};
use crate::behind::Behind;
use crate::event::What;

const SHIPPED: Behind = Behind::SHIPPED;

pub(super) fn rows() -> Vec<Row> {
    let row = |name, about, verdict: Verdict, behind| Row {
        name,
        about,
        verdict,
        subject: Subject::Behind(behind),
    };
    vec![
        row(
            "wb",
            "write-behind: a pending entry and a queue, in one step; workers die, lapse and fail",
            Holds(&[
                What::Accepted,
                What::ServesPending,
                What::SparesPending,
                What::TakesWrite,
                What::Applies,
                What::Finishes,
                What::WorkerDies,
                What::OwnerLapses,
                What::Buries,
                What::Retries,
                What::Refused,
            ]),
            SHIPPED,
        ),
        row(
            "wbu",
            "wb, and a reader cannot read what is pending: it loads, and stores nothing",
            Holds(&[What::PassesPending, What::ServesPending]),
            Behind {
                unreadable: true,
                ..SHIPPED
            },
        ),
        row(
            "wbe",
            "wb, and a pending entry is evicted: reads may be old until its write is applied, and no longer",
            Holds(&[What::PendingEvicted, What::Finishes]),
            Behind {
                evicted: true,
                ..SHIPPED
            },
        ),
        row(
            "wb1",
            "wb, and a removal takes a pending entry away",
            StaleRead,
            Behind {
                removals_spare: false,
                ..SHIPPED
            },
        ),
        row(
            "wb2",
            "wb, and who has applied a write removes the pending entry of the next",
            StaleRead,
            Behind {
                finish_compares: false,
                ..SHIPPED
            },
        ),
        row(
            "wb3",
            "wbu, and its lease takes the place of the pending entry",
            StaleRead,
            Behind {
                unreadable: true,
                leases_spare: false,
                ..SHIPPED
            },
        ),
        row(
            "wb4",
            "wb, and the entry is put there after the place in the queue was taken",
            Stranded,
            Behind {
                at_once: false,
                ..SHIPPED
            },
        ),
        row(
            "wb5",
            "wbe, and who has applied a write leaves what others have stored meanwhile",
            Stranded,
            Behind {
                evicted: true,
                finish_removes: false,
                ..SHIPPED
            },
        ),
        row(
            "wb6",
            "wb, and a write leaves the queue when it is taken",
            Lost,
            Behind {
                kept_until_applied: false,
                ..SHIPPED
            },
        ),
        row(
            "wb7",
            "wb, and a dead letter lets the later ones of its key pass",
            Backwards,
            Behind {
                dead_hold_up: false,
                ..SHIPPED
            },
        ),
        row(
            "wb8",
            "wb, and the source does not know the number that it was written under",
            Backwards,
            Behind {
                numbered: false,
                ..SHIPPED
            },
        ),
    ]
}
