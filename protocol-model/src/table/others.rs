//! What is usually written by hand, and what others do.

use super::Verdict::{StaleRead, Stranded};
use super::{Row, UNSHARED, row};
use crate::config::{Config, Lease, Sharing, Way};
use crate::server::Condition;

pub(super) fn rows() -> Vec<Row> {
    let naive = Config::naive();
    let shared = Config {
        sharing: Sharing::Anytime,
        ..UNSHARED
    };
    vec![
        row(
            "n1",
            "GET, on a miss SET; DEL after the write",
            Stranded,
            naive,
        ),
        row(
            "n2",
            "n1 with the DEL before the write",
            Stranded,
            Config {
                writers: [Way::DeleteBefore; 2],
                ..naive
            },
        ),
        row(
            "n3",
            "n1 with a delayed second DEL",
            Stranded,
            Config {
                writers: [Way::DeleteTwice; 2],
                ..naive
            },
        ),
        row(
            "n4",
            "n1 with SET NX",
            Stranded,
            Config {
                fill: Condition::Absent,
                ..naive
            },
        ),
        row(
            "n5",
            "n4, and writers SET what they wrote",
            Stranded,
            Config {
                fill: Condition::Absent,
                writers: [Way::Store; 2],
                ..naive
            },
        ),
        row(
            "n6",
            "leases with the token of their process",
            Stranded,
            Config {
                lease: Lease::PerProcess,
                ..UNSHARED
            },
        ),
        row(
            "n7",
            "leases, and the usual single-flight above them",
            StaleRead,
            shared,
        ),
    ]
}
