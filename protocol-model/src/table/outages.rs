//! Redis is out of reach for a writer, or fails over to an older state.

use super::Verdict::{Holds, StaleRead, Stranded};
use super::{Row, SHIPPED, row};
use crate::config::{Call, Config, Failover, Journal, Promise, Way};
use crate::event::What;
use crate::server::Condition;

/// Redis is out of reach for a writer.
pub(super) fn journaling() -> Vec<Row> {
    let journal = |bypassed, clears_newer| Config {
        journal: Some(Journal {
            bypassed,
            clears_newer,
            ..Journal::SHIPPED
        }),
        ..SHIPPED
    };
    let kept = journal(true, false);
    let together = |config| Config {
        writer_home: [0, 0],
        ..config
    };
    let with = |journal| Config {
        journal: Some(journal),
        ..SHIPPED
    };
    let put = Way::Put {
        heeds_taint: true,
        heeds_lapse: true,
    };
    // With fewer states, since other rows have dropped readers.
    let putting = |puts| Config {
        writers: [put, Way::Invalidate],
        drops: false,
        ..together(with(Journal {
            puts,
            ..Journal::SHIPPED
        }))
    };
    let matching = |by_pattern| Config {
        scans: [true, false],
        drops: false,
        ..together(with(Journal {
            by_pattern,
            ..Journal::SHIPPED
        }))
    };
    let particular = |asked_again| Config {
        readers: [Call::Particular, Call::Read, Call::Read],
        drops: false,
        ..together(with(Journal {
            asked_again,
            ..Journal::SHIPPED
        }))
        .one_writer()
    };
    let happens = Holds(&[
        What::IsJournaled,
        What::FindsJournaled,
        What::Replays,
        What::ReplayUnheard,
        What::ReplayAnswered,
        What::SharesAlone,
        What::Refused,
    ]);
    vec![
        row(
            "d1",
            "invalidations are sent again later",
            StaleRead,
            journal(false, false),
        ),
        row(
            "d2",
            "d1, and until then reads here go past the cache",
            happens,
            kept,
        ),
        row(
            "d2b",
            "d2, both writers in one process: an answer settles what was journaled before it was sent",
            Holds(&[
                What::IsJournaled,
                What::FindsJournaled,
                What::ReplayAnswered,
                What::Settles,
            ]),
            together(kept),
        ),
        row(
            "d2c",
            "d2b, and an answer settles what was journaled after it was sent",
            Stranded,
            together(journal(true, true)),
        ),
        row(
            "d3",
            "d2, and the process dies",
            Stranded,
            Config {
                dying: [true; 2],
                ..kept
            },
        ),
        row(
            "d4",
            "d3 with two phases",
            Holds(&[
                What::IsJournaled,
                What::DiesJournaled,
                What::TombstoneRunsOut,
                What::FindsJournaled,
            ]),
            Config {
                writers: [Way::TwoPhase; 2],
                dying: [true; 2],
                // Fewer states; other rows have dropped readers.
                drops: false,
                ..kept
            },
        ),
        row(
            "d5",
            "p3 beside the journal: a put of a key that waits there ends as an invalidation",
            Holds(&[
                What::IsJournaled,
                What::FindsJournaled,
                What::PutsWritten,
                What::PutEndsJournaled,
                What::Settles,
                What::ReplayAnswered,
            ]),
            putting(false),
        ),
        row(
            "d5b",
            "d5, and the put goes on and settles what was journaled",
            Stranded,
            putting(true),
        ),
        row(
            "d6",
            "d2 with a pattern, whose keys are looked for and then removed",
            Holds(&[
                What::FindsKey,
                What::FindsNoKey,
                What::IsJournaled,
                What::FindsJournaled,
                What::ReplayAnswered,
                What::Settles,
            ]),
            matching(true),
        ),
        row(
            "d6b",
            "d6, and reads ask the journal for their key alone",
            StaleRead,
            matching(false),
        ),
        row(
            "d7",
            "d2, and a reader finds what it shared without a lease unusable: it asks the journal again",
            Holds(&[What::FindsJournaled, What::FindsUnusable, What::SharesAlone]),
            particular(true),
        ),
        row(
            "d7b",
            "d7, and it does not ask again",
            StaleRead,
            particular(false),
        ),
    ]
}

/// A failover or a restart that loses the newest writes.
pub(super) fn failing_over() -> Vec<Row> {
    const fn with(failover: Failover) -> Config {
        Config {
            failover: Some(failover),
            ..SHIPPED.one_writer()
        }
    }
    const fn epoch(noted_late: bool, shared_across: bool) -> Config {
        with(Failover::Epoch {
            noted_late,
            shared_across,
        })
    }
    const fn replay(promise: Promise, failover: Failover) -> Config {
        Config {
            promise,
            writer_home: [0, 0],
            journal: Some(Journal::SHIPPED),
            ..with(failover)
        }
    }
    const fn broken(old_looks: bool, old_answers: bool, ages: bool) -> Failover {
        Failover::Replay {
            old_looks,
            old_answers,
            ages,
            survives: false,
        }
    }
    const SHIPPED_REPLAY: Failover = broken(false, false, false);
    const SURVIVES: Failover = Failover::Replay {
        old_looks: false,
        old_answers: false,
        ages: false,
        survives: true,
    };
    let own = replay(Promise::OwnProcess, SHIPPED_REPLAY);
    vec![
        row("f1", "nothing is done", StaleRead, with(Failover::Ignored)),
        row(
            "f2",
            "epochs, a fill that won is shared after a reconnection",
            StaleRead,
            epoch(false, true),
        ),
        row(
            "f2b",
            "epochs, noted when the fill is sent",
            StaleRead,
            epoch(true, false),
        ),
        row(
            "f3",
            "epochs, noted before the lease is asked for",
            Holds(&[
                What::FailsOver,
                What::Connects,
                What::SeesDead,
                What::TakesOverDead,
                What::FindsRedisAway,
                What::Shares,
                What::Refused,
            ]),
            epoch(false, false),
        ),
        row(
            "f4",
            "f3 with stale-while-revalidate",
            Holds(&[What::FailsOver, What::HitsStale, What::RefreshRefused]),
            Config {
                refresh: Some(Condition::Token),
                ..epoch(false, false)
            },
        ),
        row(
            "f5",
            "recent invalidations are replayed: what binds the process that made them",
            Holds(&[
                What::FailsOver,
                What::ConnectsJournaling,
                What::FindsJournaled,
                What::LooksAgain,
                What::NotConfirmed,
                What::NotReplayed,
                What::Shares,
                What::Refused,
            ]),
            own,
        ),
        row(
            "f5b",
            "f5, and a look from before the change of server counts",
            StaleRead,
            replay(Promise::OwnProcess, broken(true, false, false)),
        ),
        row(
            "f5c",
            "f5, and a confirmation by the server before counts",
            StaleRead,
            replay(Promise::OwnProcess, broken(false, true, false)),
        ),
        row(
            "f5d",
            "f5, and what is remembered ages during the outage",
            StaleRead,
            replay(Promise::OwnProcess, broken(false, false, true)),
        ),
        row(
            "f6",
            "f5 for every process: others may read before the replay",
            StaleRead,
            replay(Promise::Everywhere, SHIPPED_REPLAY),
        ),
        row(
            "f7",
            "f5, and the process has ended by then",
            Stranded,
            Config {
                dying: [true; 2],
                ..own
            },
        ),
        row(
            "f8",
            "f5, and connections survive the change: until it is noticed, its own process may read",
            StaleRead,
            replay(Promise::OwnProcess, SURVIVES),
        ),
        row(
            "f8b",
            "f8: what binds the reads that begin when the process has looked which server it is",
            Holds(&[
                What::FailsOver,
                What::ConnectsJournaling,
                What::FindsJournaled,
                What::LooksAgain,
                What::Shares,
                What::Refused,
            ]),
            replay(Promise::OnceNoticed, SURVIVES),
        ),
    ]
}
