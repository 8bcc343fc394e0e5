//! What is varied: who takes part, which rules they follow, what may go wrong.

use crate::read::{Rule, Rules};
use crate::server::Condition;
use crate::state::{PROCESSES, READERS, WRITERS};
use crate::tag::{Recheck, Stamping, Tags};

/// One protocol in one world.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// What each reader calls.
    pub readers: [Call; READERS],
    /// How each writer makes its write known.
    pub writers: [Way; WRITERS],
    /// The process of each writer.
    pub writer_home: [usize; WRITERS],

    /// Who may fill.
    pub lease: Lease,
    /// What a fill asks for.
    pub fill: Condition,
    /// Who shares a load made under a lease.
    pub sharing: Sharing,
    /// Who shares a load made without one.
    pub bypass: Bypass,
    /// Values past their TTL are served and refreshed; what the refresh asks for.
    pub refresh: Option<Condition>,
    /// They are served only if the load fails.
    pub if_error: Option<IfError>,
    /// The entry has a tag.
    pub tags: Option<Tags>,
    /// Whether a lease that is taken whatever stands there gives way to a tombstone.
    pub seize_spares_tombstones: bool,
    /// Whether invalidations spare the tombstones of other writers.
    pub invalidate_spares_tombstones: bool,
    /// Tombstones that outlast the lag of the source's replica.
    pub hold_off: bool,
    /// Invalidations by a pattern, which look for their keys first.
    pub scans: [bool; WRITERS],
    /// What becomes of what is done inside of transactions.
    pub transaction: Transaction,
    /// What becomes of invalidations that cannot reach Redis.
    pub journal: Option<Journal>,

    /// Readers may be dropped, answers to fills may be lost.
    pub drops: bool,
    /// Writers that may die between their commit and their invalidation.
    pub dying: [bool; WRITERS],
    /// Tombstones may run out before the write they announce is committed.
    pub short_hold: bool,
    /// Tombstones may be evicted.
    pub evicted_tombstones: bool,
    /// Loads may read a replica of the source that lags.
    pub lag: bool,
    /// Redis may fail over to an older copy, and what is done about it.
    pub failover: Option<Failover>,
    /// Whom an invalidation binds: every process, or only the one it was made in.
    pub promise: Promise,
}

/// What a reader calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Nothing: one reader less.
    Nothing,
    /// The cached function.
    Read,
    /// The cached function with `.refreshed()`.
    Refreshed,
    /// `put`, with a value that is current when it is called.
    Put,
    /// `get` under the second tag: it loads nothing.
    Get,
    /// The cached function, inside of the transaction of the first writer, before its commit.
    Inside,
    /// The cached function, by a reader to whom what others load without a lease is of no use.
    Particular,
}

/// How a write is made known to the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// There is no such writer.
    Nothing,
    /// Delete, then commit.
    DeleteBefore,
    /// Commit, then invalidate.
    Invalidate,
    /// Delete, commit, delete, and once more after a while.
    DeleteTwice,
    /// Commit, then invalidate the tag of the entry instead of the entry.
    InvalidateTag,
    /// Commit, then store the value.
    Store,
    /// Bar fills, commit, end. The tombstone knows all writers in progress.
    TwoPhase,
    /// The same with a tombstone that knows the last writer only.
    TwoPhaseOfOne,
    /// Two phases; the end stores the value if no other writer has interfered.
    Put {
        /// Whether interference is remembered after the other writer is through.
        heeds_taint: bool,
        /// Whether a writer that had to begin again puts nothing.
        heeds_lapse: bool,
    },
    /// Writes in a transaction, collects its invalidation, commits, and sends it then.
    AfterCommit,
    /// The same, and sends it at once.
    BeforeCommit,
}

impl Way {
    /// Whether it writes in a transaction.
    pub fn is_inside(self) -> bool {
        matches!(self, Self::AfterCommit | Self::BeforeCommit)
    }

    /// Whether it bars fills before it commits.
    pub fn begins(self) -> bool {
        matches!(
            self,
            Self::TwoPhase | Self::TwoPhaseOfOne | Self::Put { .. }
        )
    }
}

/// What becomes of what is done inside of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// From its collection to its confirmation, reads of the key here load without the cache.
    pub bypassed: bool,
    /// What is read inside is stored and shared as what is read outside.
    pub kept: bool,
    /// It may roll back.
    pub rolls_back: bool,
}

/// Who may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// Anybody.
    None,
    /// Who holds the lease; its token is the process's.
    PerProcess,
    /// Who holds the lease; its token is new every time.
    PerAttempt,
}

/// Who shares a load made under a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody.
    Never,
    /// Whoever comes before its end, whatever that is: the usual single-flight.
    Anytime,
    /// Who comes between the grant of the lease and the answer to the fill, if it won.
    UntilAnswered,
    /// Who comes between the grant of the lease and the sending of the fill, if it won.
    UntilSent,
    /// Who saw the leader's lease with a look of its own, whatever becomes of the fill.
    OwnLook,
    /// As shipped: the flight is there from before the lease is asked for until the fill is
    /// answered; who comes before the fill is sent shares it if it won, who comes later waits and
    /// then looks for itself. An invalidation in the same process takes it off the board.
    Flight {
        /// Who comes later shares it, too.
        late: bool,
        /// It is shared although the fill was refused.
        refused: bool,
    },
}

/// Who shares a load made without a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// Nobody: each reader loads.
    Each,
    /// As shipped: one load runs, one is pending, and newcomers share the pending one.
    Next,
    /// Newcomers share the running one.
    Running,
}

/// Who gets a value past its TTL when a load has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfError {
    /// Who has seen it with a look of its own.
    OwnLook,
    /// Whoever is in the flight as well.
    Flight,
}

/// How a process treats invalidations that wait for Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Reads of such a key load without the cache.
    pub bypassed: bool,
    /// The answer to a replay clears the key, although it was invalidated again meanwhile.
    pub clears_newer: bool,
    /// A put goes on although the key waits here, and its answer settles that.
    pub puts: bool,
    /// Reads ask for patterns as well.
    pub by_pattern: bool,
    /// A reader to whom what was shared is of no use asks again.
    pub asked_again: bool,
}

impl Journal {
    /// As shipped.
    pub const SHIPPED: Self = Self {
        bypassed: true,
        clears_newer: false,
        puts: false,
        by_pattern: true,
        asked_again: true,
    };
}

/// What is done about a server that has lost confirmed writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    /// Nothing.
    Ignored,
    /// Entries carry the epoch of the server; those of another one are dead.
    Epoch {
        /// The epoch is noted when the fill is sent, not before the lease is asked for.
        noted_late: bool,
        /// A fill that won is shared, whatever server the process is connected to by then.
        shared_across: bool,
    },
    /// As shipped: the recent invalidations of a process are in its journal again before it uses
    /// the new connection.
    Replay {
        /// A look that began before the change of server counts.
        old_looks: bool,
        /// A confirmation by the server before counts.
        old_answers: bool,
        /// What is remembered ages while there is no connection, and is gone by the next one.
        ages: bool,
        /// Connections survive the change, as when a server is demoted and promoted again: commands
        /// get through to what it then has, until the process looks which server it is.
        survives: bool,
    },
}

/// Whom an invalidation binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Every process.
    Everywhere,
    /// The process it was made in; the others once all is quiet.
    OwnProcess,
    /// The same, but for reads that touch the time between a change of server and the process's
    /// noticing it.
    OnceNoticed,
}

/// The rules of reads that it leaves out are those of the library, which reads by all of them.
impl Rules<Rule> for Config {
    fn follows(&self, rule: Rule) -> bool {
        let recheck = self.tags.map_or(Recheck::Always, |tags| tags.recheck);
        match rule {
            Rule::HeedsJournal => self.journal.is_none_or(|journal| journal.bypassed),
            Rule::LooksAgain => matches!(
                self.failover,
                Some(Failover::Replay {
                    old_looks: false,
                    ..
                })
            ),
            Rule::SharesNoHits => self.sharing != Sharing::Anytime,
            Rule::ReadsTagsFirst => self.tags.is_none() || self.stamps(Stamping::BeforeLoad),
            Rule::ClosesBeforeFill => !matches!(self.sharing, Sharing::Flight { late: true, .. }),
            Rule::SharesOnlyWins => !matches!(
                self.sharing,
                Sharing::Anytime | Sharing::OwnLook | Sharing::Flight { refused: true, .. }
            ),
            Rule::SharesNoMarkers => recheck == Recheck::Always,
            Rule::RereadsTags => recheck != Recheck::Never && self.sharing != Sharing::OwnLook,
        }
    }
}

impl Config {
    /// What is shipped, in a world where readers are dropped, answers are lost, leases run out and
    /// values are evicted at any moment, and fills arrive arbitrarily late.
    pub const fn shipped() -> Self {
        Self {
            readers: [Call::Read; READERS],
            writers: [Way::Invalidate; WRITERS],
            writer_home: [PROCESSES - 1, 0],
            lease: Lease::PerAttempt,
            fill: Condition::Token,
            sharing: Sharing::Flight {
                late: false,
                refused: false,
            },
            bypass: Bypass::Next,
            refresh: None,
            if_error: None,
            tags: None,
            seize_spares_tombstones: true,
            invalidate_spares_tombstones: true,
            hold_off: false,
            scans: [false; WRITERS],
            transaction: Transaction {
                bypassed: true,
                kept: false,
                rolls_back: false,
            },
            journal: None,
            drops: true,
            dying: [false; WRITERS],
            short_hold: false,
            evicted_tombstones: false,
            lag: false,
            failover: None,
            promise: Promise::Everywhere,
        }
    }

    /// The protocol without any sharing.
    pub const fn unshared() -> Self {
        Self {
            sharing: Sharing::Never,
            bypass: Bypass::Each,
            ..Self::shipped()
        }
    }

    /// `GET`, `SET` and `DEL`, as written by hand.
    pub const fn naive() -> Self {
        Self {
            lease: Lease::None,
            fill: Condition::Always,
            ..Self::unshared()
        }
    }

    /// With one writer instead of two.
    pub const fn one_writer(self) -> Self {
        Self {
            writers: [self.writers[0], Way::Nothing],
            ..self
        }
    }

    /// Whether the second writer is missing already.
    pub fn has_one_writer(&self) -> bool {
        self.writers[1] == Way::Nothing
    }

    /// Without the third reader, the only one in process 1.
    pub const fn two_readers(self) -> Self {
        Self {
            readers: [self.readers[0], self.readers[1], Call::Nothing],
            ..self
        }
    }
}
