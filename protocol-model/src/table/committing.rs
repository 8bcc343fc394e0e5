//! Writes in transactions, whose invalidations are collected.

use super::Verdict::{Holds, StaleRead, Stranded};
use super::{Row, SHIPPED, row};
use crate::config::{Call, Config, Transaction, Way};
use crate::event::What;
use crate::state::PROCESSES;

pub(super) fn rows() -> Vec<Row> {
    let transaction = |transaction| Config {
        transaction,
        writers: [Way::AfterCommit, Way::Invalidate],
        writer_home: [0, PROCESSES - 1],
        readers: [Call::Read, Call::Inside, Call::Read],
        ..SHIPPED
    };
    let shipped = Transaction {
        rolls_back: true,
        ..SHIPPED.transaction
    };
    vec![
        row(
            "a1",
            "collected in a transaction, sent after its commit; until it is confirmed, reads here go past the cache",
            Holds(&[
                What::Collects,
                What::RollsBack,
                What::ReadsInside,
                What::FindsJournaled,
                What::Invalidates,
                What::Shares,
                What::Refused,
            ]),
            transaction(shipped),
        ),
        row(
            "a1b",
            "a1 with a pattern",
            Holds(&[
                What::Collects,
                What::FindsKey,
                What::FindsNoKey,
                What::FindsJournaled,
            ]),
            Config {
                scans: [true, false],
                ..transaction(shipped)
            },
        ),
        row(
            "a2",
            "a1, and it is sent when it is collected",
            Stranded,
            Config {
                writers: [Way::BeforeCommit, Way::Invalidate],
                ..transaction(shipped)
            },
        ),
        row(
            "a3",
            "a1, and reads here ask the cache until it is confirmed",
            StaleRead,
            transaction(Transaction {
                bypassed: false,
                ..shipped
            }),
        ),
        row(
            "a4",
            "a1, and what is read inside is stored",
            Stranded,
            transaction(Transaction {
                kept: true,
                ..shipped
            }),
        ),
    ]
}
