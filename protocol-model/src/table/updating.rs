//! Read-modify-write of the value under the key.

use super::Verdict::{Holds, Miscounted};
use super::{Row, Subject};
use crate::event::What;
use crate::server::Condition;
use crate::update::{Doubt, Updates};

pub(super) fn rows() -> Vec<Row> {
    let row = |name, about, verdict, condition, doubt| Row {
        name,
        about,
        verdict,
        subject: Subject::Updates(Updates { condition, doubt }),
    };
    vec![
        row(
            "u1",
            "get, then set",
            Miscounted,
            Condition::Always,
            Doubt::Announced,
        ),
        row(
            "u2",
            "compare-and-set; who gets no answer, or a refusal the second time, cannot know",
            Holds(&[
                What::Swaps,
                What::SwapRefused,
                What::SwapRepeated,
                What::Resends,
                What::Updated,
                What::TriesAgain,
                What::RunsOutOfTries,
                What::IsInDoubt,
            ]),
            Condition::Token,
            Doubt::Announced,
        ),
        row(
            "u3",
            "u2, and a refusal the second time is taken for one",
            Miscounted,
            Condition::Token,
            Doubt::Ignored,
        ),
    ]
}
