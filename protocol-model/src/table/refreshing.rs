//! Replacing what stands there.

use super::Verdict::{Holds, StaleRead, Stranded};
use super::{Row, SHIPPED, row};
use crate::config::{Call, Config, IfError, Way};
use crate::event::What;
use crate::server::Condition;

pub(super) fn rows() -> Vec<Row> {
    let stale = |condition| Config {
        refresh: Some(condition),
        ..SHIPPED
    };
    let if_error = |condition, who| Config {
        if_error: Some(who),
        ..stale(condition)
    };
    let refreshed = Config {
        readers: [Call::Refreshed, Call::Read, Call::Read],
        ..SHIPPED
    };
    let guarded = Config {
        writers: [Way::TwoPhase; 2],
        dying: [true; 2],
        ..refreshed
    };
    vec![
        row(
            "o4",
            "stale-while-revalidate, the refresh by SET",
            Stranded,
            stale(Condition::Always).one_writer(),
        ),
        row(
            "o5",
            "stale-while-revalidate, the refresh by SET XX",
            Stranded,
            stale(Condition::Present).one_writer(),
        ),
        row(
            "o6",
            "stale-while-revalidate, the refresh by compare-and-set",
            Holds(&[What::HitsStale, What::RefreshStored, What::RefreshRefused]),
            stale(Condition::Token),
        ),
        row(
            "o7",
            "stale-if-error: who has seen the value serves it if the load fails",
            Holds(&[
                What::SeesExpired,
                What::Renews,
                What::ServesExpired,
                What::Joins,
                What::Shares,
                What::RefreshStored,
                What::RefreshRefused,
            ]),
            if_error(Condition::Token, IfError::OwnLook),
        ),
        row(
            "o7b",
            "o7, and what was loaded is stored by SET",
            Stranded,
            if_error(Condition::Always, IfError::OwnLook).one_writer(),
        ),
        row(
            "o7c",
            "o7, and whoever waits for the load that fails is served, too",
            StaleRead,
            if_error(Condition::Token, IfError::Flight).one_writer(),
        ),
        row(
            "s1",
            ".refreshed() beside reads",
            Holds(&[
                What::FencedByEntry,
                What::FencedByLease,
                What::Seizes,
                What::RefreshStored,
                What::RefreshRefused,
                What::Refused,
            ]),
            refreshed,
        ),
        row(
            "s2",
            ".refreshed() beside two-phase writers that die",
            Holds(&[What::Seizes, What::SparesTombstone, What::Dies]),
            guarded,
        ),
        row(
            "s3",
            "s2, and its lease replaces tombstones",
            Stranded,
            Config {
                seize_spares_tombstones: false,
                ..guarded
            },
        ),
        row(
            "s4",
            "put of a value read before put was called",
            Stranded,
            Config {
                readers: [Call::Put, Call::Read, Call::Read],
                ..SHIPPED
            },
        ),
    ]
}
