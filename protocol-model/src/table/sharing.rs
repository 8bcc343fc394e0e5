//! Leases, and who shares a load.

use super::Verdict::{Holds, StaleRead};
use super::{Row, SHIPPED, UNSHARED, row};
use crate::config::{Bypass, Config, Sharing, Way};
use crate::event::What;

pub(super) fn rows() -> Vec<Row> {
    let with = |sharing| Config {
        sharing,
        ..UNSHARED
    };
    let flight = |late, refused| Config {
        sharing: Sharing::Flight { late, refused },
        ..SHIPPED
    };
    let barred = |bypass| Config {
        bypass,
        writers: [Way::Invalidate, Way::TwoPhase],
        ..SHIPPED
    };
    vec![
        row(
            "o1",
            "a lease per attempt, nothing shared",
            Holds(&[
                What::Hits,
                What::Stored,
                What::Refused,
                What::LeaseRunsOut,
                What::ValueGoes,
                What::IsRefusedLease,
                What::Dropped,
            ]),
            UNSHARED,
        ),
        row(
            "o2",
            "shared by who comes before the fill is answered",
            StaleRead,
            with(Sharing::UntilAnswered),
        ),
        row(
            "o3",
            "shared by who comes before the fill is sent",
            Holds(&[
                What::Joins,
                What::Shares,
                What::SharesNot,
                What::Refused,
                What::AnswerLost,
            ]),
            with(Sharing::UntilSent),
        ),
        row(
            "o3b",
            "shared by who saw the leader's lease itself",
            Holds(&[What::Joins, What::Shares, What::Refused]),
            with(Sharing::OwnLook),
        ),
        row(
            "o3s",
            "as shipped: a flight from before the lease, one bypass load running, one pending",
            Holds(&[
                What::Leads,
                What::Joins,
                What::JoinsLate,
                What::Shares,
                What::SharesNot,
                What::Refused,
                What::AnswerLost,
                What::IsRefusedLease,
                What::Waits,
                What::SharesAlone,
                What::Dropped,
            ]),
            SHIPPED,
        ),
        row(
            "o3t",
            "o3s, and who comes after the fill was sent shares it",
            StaleRead,
            flight(true, false),
        ),
        row(
            "o3u",
            "o3s, and a refused fill is shared",
            StaleRead,
            flight(false, true),
        ),
        row(
            "b1",
            "as shipped, beside two-phase writers: one bypass load runs, newcomers share the next",
            Holds(&[What::SeesTombstone, What::Waits, What::SharesAlone]),
            barred(Bypass::Next),
        ),
        row(
            "b2",
            "b1, and newcomers share the one that runs",
            StaleRead,
            barred(Bypass::Running),
        ),
    ]
}
