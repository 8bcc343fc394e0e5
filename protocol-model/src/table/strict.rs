//! The strict forms of a level in process memory: writers that settle, entries that are checked. They are not
//! built yet either.

use super::Verdict::{Holds, StaleRead};
use super::levels::{DESIGNED, OTHER, OWN, row};
use super::{Row, Subject};
use crate::check::Checks;
use crate::event::What;
use crate::level::Level;
use crate::local::Rule;

/// Writers that return when no process serves the old value any more.
pub(super) fn settled() -> Vec<Row> {
    let settled = |level| Level {
        settles: true,
        ..level
    };
    let journal = |level| Level {
        journal: true,
        // Fewer states; other rows have notices without a cause.
        forgets: false,
        ..settled(level)
    };
    vec![
        row(
            "e1",
            "writers wait until their invalidations have settled",
            Holds(&[What::HitsLocal, What::WaitsToSettle, What::HasSettled]),
            settled(DESIGNED),
        ),
        row(
            "e2",
            "e1, and they wait from the sending on",
            StaleRead,
            settled(OTHER).without(Rule::SettlesFromConfirmation),
        ),
        row(
            "e3",
            "e1 beside the journal: one that is deferred says so",
            Holds(&[What::HasSettled, What::IsJournaled, What::ReplayAnswered]),
            journal(DESIGNED),
        ),
        row(
            "e3b",
            "e3, and it does not say so",
            StaleRead,
            journal(OTHER).without(Rule::TellsDeferral),
        ),
        row(
            "e4",
            "e1, and the clock of a reader stands still while its machine sleeps",
            StaleRead,
            Level {
                readers: [Some(1), None],
                sleeps: true,
                ..settled(OWN)
            },
        ),
    ]
}

/// Entries that are compared with what Redis has, each time: the promise word for word.
pub(super) fn checked() -> Vec<Row> {
    const CHECKED: Checks = Checks {
        without: None,
        process_tokens: false,
        shared: false,
        readers: [true, false, true],
        writers: [true; 2],
        fails_over: false,
    };
    let row = |name, about, verdict, checks| Row {
        name,
        about,
        verdict,
        subject: Subject::Checks(checks),
    };
    let without = |rule| Checks {
        without: Some(rule),
        ..CHECKED
    };
    vec![
        row(
            "x1",
            "token and generation are asked for each time; what was loaded is kept, stored or not",
            Holds(&[What::Stands, What::StandsNot, What::Stored, What::Refused]),
            CHECKED,
        ),
        row(
            "x2",
            "x1, and the token is not compared",
            StaleRead,
            without(Rule::ComparesTokens),
        ),
        row(
            "x2b",
            "x1, and each process has one token",
            StaleRead,
            Checks {
                process_tokens: true,
                readers: [true; 3],
                ..CHECKED
            },
        ),
        row(
            "x3",
            "x1, and the generation is not compared",
            StaleRead,
            without(Rule::ComparesStamps),
        ),
        row(
            "x4",
            "x1, and a read shares a check that began before it",
            StaleRead,
            Checks {
                shared: true,
                readers: [true; 3],
                ..CHECKED
            },
        ),
        row(
            "x5",
            "x1 with epochs, and Redis fails over",
            Holds(&[What::Stands, What::StandsNot, What::FailsOver]),
            Checks {
                fails_over: true,
                writers: [true, false],
                ..CHECKED
            },
        ),
        row(
            "x5b",
            "x5, and the epoch is not compared",
            StaleRead,
            Checks {
                fails_over: true,
                ..without(Rule::ComparesEpochs)
            },
        ),
    ]
}
