//! A source whose replica lags.

use super::Verdict::{Holds, StaleRead};
use super::{Row, SHIPPED, row};
use crate::config::{Config, Way};
use crate::event::What;

pub(super) fn rows() -> Vec<Row> {
    // Fewer states, which a lag multiplies; other rows have dropped readers.
    let lag = Config {
        lag: true,
        drops: false,
        ..SHIPPED
    };
    let held = Config {
        hold_off: true,
        ..lag
    };
    vec![
        row("r1", "a lagging replica is read", StaleRead, lag),
        row(
            "r2",
            "no fills for longer than the lag",
            Holds(&[
                What::ReplicaCatchesUp,
                What::HoldEnds,
                What::SeesTombstone,
                What::Refused,
            ]),
            held,
        ),
        row(
            "r3",
            "r2 with two phases, and writers die",
            Holds(&[What::HoldEnds, What::TombstoneRunsOut, What::Dies]),
            Config {
                writers: [Way::TwoPhase; 2],
                dying: [true; 2],
                ..held
            },
        ),
    ]
}
