//! What can happen, in words for traces, and what must not.

use std::fmt;

use crate::state::Version;

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// To whom.
    pub who: Who,
    /// What.
    pub what: What,
    /// To which version, where that matters.
    pub version: Version,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.what.words();
        let space = if words.starts_with('\'') { "" } else { " " };
        let words = words.replace("{v}", &format!("v{}", self.version));
        write!(f, "{}{space}{words}", self.who)
    }
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A reader.
    Reader(usize),
    /// A writer.
    Writer(usize),
    /// A process.
    Process(usize),
    /// A caller of `update`.
    Updater(usize),
    /// Redis or the source.
    World,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reader(reader) => write!(f, "R{reader}"),
            Self::Writer(writer) => write!(f, "W{writer}"),
            Self::Process(process) => write!(f, "P{process}"),
            Self::Updater(updater) => write!(f, "U{updater}"),
            Self::World => f.write_str("--"),
        }
    }
}

/// The order of the kinds is that of the words.
macro_rules! kinds {
    ($($kind:ident $words:literal)*) => {
        /// The kinds of things that can happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is described by its words")]
        pub enum What { $($kind,)* }

        impl What {
            /// How a trace tells it; `{v}` stands for the version.
            pub fn words(self) -> &'static str {
                match self { $(Self::$kind => $words,)* }
            }
        }
    };
}

kinds! {
    // Search
    Looks "looks for a value that is at least {v}"
    FindsJournaled "wants at least {v}; the key waits in the journal here: bypass"
    FindsUnusable "has no use for what it was given, and the key waits in the journal here: bypass"
    Joins "wants at least {v} and joins a flight"
    JoinsLate "wants at least {v} and waits for the end of a flight without sharing it"
    FindsRedisAway "GET fails: the connection is gone"
    ReadsTagFirst "GET of the tag"
    SeesNothing "GET: nothing"
    SeesDead "GET: an entry of another epoch or generation, a miss"
    SeesMarker "GET: a marker with the name of a tag, a miss"
    SeesTagged "GET: {v}, under a tag"
    WeighsDead "GET of the tag: another generation, a miss"
    WeighsLive "GET of the tag: still the generation of {v}, returned"
    SeesLease "GET: somebody's lease"
    SeesTombstone "GET: a tombstone, nobody may fill"
    LooksAgain "GET: {v}, but the server has changed since its look began: once more"
    Hits "GET: {v}, returned"
    GetsLive "MGET of the key and the second tag: {v}, of its generation, returned"
    GetsDead "MGET of the key and the second tag: {v}, of another generation, a miss"
    GetsNothing "MGET of the key and the second tag: nothing"
    HitsStale "GET: {v}, past its TTL: returned, to be refreshed"
    SeesExpired "GET: {v}, past its TTL: to be returned if the load fails"
    Leads "leads a flight"
    TakesLease "takes the lease"
    TakesOverDead "takes the lease over a dead entry"
    IsRefusedLease "is refused the lease: something stands there by now"
    Misses "misses and begins to load"
    GivesUp "has waited long enough"

    // Load and fill
    ReadsGeneration "reads the tag's generation, which somebody has created"
    CreatesGeneration "creates a generation of the tag"
    Loads "reads {v} from the source"
    Fills "sends its fill of {v} and returns it"
    Stored "'s fill of {v} runs in Redis: stored"
    Refused "'s fill of {v} runs in Redis: refused"
    Marks "'s marker runs in Redis: stored, without {v}"
    RereadsSame "reads the tag's generation again: it is the same"
    RereadsOther "reads the tag's generation again: it is another"
    Renews "reads {v} from the source, to replace the value past its TTL"
    IsRefusedClaim "is refused the claim on the value past its TTL"
    KeepsExpired "has waited long enough: GET: still {v}, past its TTL, returned"
    ReadsInside "reads {v} inside of the transaction that has written it, and returns it"
    LosesExpired "has waited long enough, and the value past its TTL is gone: starts over"
    ServesExpired "'s load fails: returns {v}, past its TTL"
    Shares "'s flight ends: those in it return {v}"
    SharesNot "'s flight ends: those in it start over"
    AnswerLost "'s fill gets no answer: those in its flight load without it"
    Dropped "is dropped"

    // A function called by the load
    InnerHits "calls the inner function: GET: {v}"
    InnerMisses "calls the inner function: GET: nothing that lives"
    InnerLoads "'s inner call reads {v} from the source"
    InnerStored "'s inner fill of {v} runs in Redis: stored"
    OwnLoads "reads {v} of its own from the source"
    KeepsNot "'s inner value is of another generation than it began from: {v} is returned and not stored"
    InnerRefused "'s inner fill of {v} is refused or lost"
    InnerGoes "the inner value expires or is evicted"

    // Bypass
    Queues "is to run the next load without a lease"
    Waits "waits for somebody's load without a lease"
    LoadsAlone "reads {v} from the source, not to be stored"
    ReturnsAlone "returns {v}, loaded without a lease"
    SharesAlone "returns {v}, loaded without a lease, with those who waited for it"

    // Refresh and put
    CallsRefreshed "calls .refreshed()"
    FencedByEntry "GET: {v}, to be replaced if it still stands"
    FencedByLease "GET: no value, so it will take the lease whatever stands there"
    CallsPut "calls put with {v}"
    Seizes "takes the lease whatever stands there"
    SparesTombstone "wants the lease, but a tombstone stands there"
    Refreshes "reads {v} from the source and sends its refresh"
    RefreshStored "'s refresh to {v} runs in Redis: stored"
    RefreshRefused "'s refresh to {v} runs in Redis: refused"

    // Write
    DeletesFirst "deletes before its write"
    Begins "begins: a tombstone"
    BeginsBeside "begins: the tombstone of another writer is tainted and now names both"
    BeginsAgain "finds its tombstone gone and begins again"
    OpensTransaction "writes in a transaction"
    Collects "collects its invalidation until the commit"
    RollsBack "rolls back"
    Commits "commits {v}"
    Invalidates "invalidates"
    InvalidatesTag "invalidates the tag"
    FindsKey "looks for keys of its pattern: here is one"
    FindsNoKey "looks for keys of its pattern: there is none"
    Taints "invalidates: the tombstone of another writer stays, tainted"
    Ends "ends: the tombstone is gone"
    EndsBeside "ends: the tombstone of another writer stays, tainted"
    EndsWithoutTombstone "ends: no tombstone, what stands there is removed"
    StoresWritten "stores {v}"
    PutsWritten "ends and stores {v}"
    PutRefused "ends; another writer has interfered, {v} is not stored"
    PutEndsJournaled "ends; the key waits in the journal here, {v} is not stored"
    NothingMore "has nothing more to do"
    DeletesAgain "will delete once more"
    Returns "has returned: from now on at least {v}"
    Dies "dies after its commit"
    IsJournaled "cannot reach Redis: its invalidation of {v} is journaled, it returns"
    Replays "'s journaled invalidation runs in Redis"
    Settles "'s invalidation was later than a journaled one and is confirmed: from now on at least {v}"
    NotConfirmed "'s answer came from the server before: {v} is journaled, it returns"
    NotReplayed "'s answer came from the server before: its invalidation of {v} stays in the journal"
    ReplayUnheard "'s journaled invalidation runs in Redis, its answer is lost"
    ReplayAnswered "'s journaled invalidation is confirmed: from now on at least {v}"
    ClearsNewer "'s invalidation is confirmed, and one that was journaled after it ran is forgotten"
    DiesJournaled "'s process dies with its journal"
    DiesLater "'s process ends"

    // World
    LeaseRunsOut "the lease runs out"
    ValueGoes "the value expires or is evicted"
    TurnsStale "the value passes its TTL"
    GenerationGoes "the tag's generation is evicted"
    TombstoneRunsOut "a writer's part of the tombstone runs out"
    TombstoneEvicted "the tombstone is evicted"
    HoldEnds "the hold-off ends"
    ReplicaCatchesUp "the source's replica catches up: {v}"
    Copied "Redis copies the key to its replica or its file"
    FailsOver "Redis fails over or restarts: the key is as in the copy"
    Connects "connects to the new server"
    ConnectsJournaling "connects to the new server, its recent invalidations in the journal"

    // Sweeps
    RemovesAll "removes all keys at once"
    RaisesBar "begins to remove the keys"
    RemovesOne "removes one key"
    BeginsPass "begins to remove the keys once more"
    LiftsBar "has removed the keys"
    FindsNoBar "has removed the keys, but the bar had run out: once more"
    FillBarred "'s fill of {v} runs in Redis: barred, its lease goes"
    BarRunsOut "the bar runs out"

    // A level in process memory
    HitsLocal "serves {v} from its memory"
    AsksOverLink "misses: takes tickets and sends its GET"
    GetRuns "a GET runs: {v}; the process will be told of a change"
    ReadsElsewhere "is answered over another connection"
    GetRunsInVain "a GET runs: no value"
    PingRuns "a PING runs"
    Redirects "a GET runs: the slot has moved"
    ReplyWakes "hears an answer: {v}, its reader is woken"
    ReplyWakesWithout "hears an answer without a value"
    Pings "sends a PING"
    IsAnswered "hears the answer to its PING"
    HearsOfChange "hears of a change"
    HearsOfFlush "hears that everything has changed"
    HearsOfMove "hears that the slot has moved, and connects to its new owner"
    IsRedirected "is redirected, and connects to the new owner of the slot"
    NoticesLoss "notices that its link is dead, and connects"
    Keeps "returns {v}, which is kept"
    KeepsNotVoided "returns {v}, which is not kept: its ticket is void"
    KeepsLoaded "loads {v} and returns it, which is kept"
    GoesOnBelow "was told of nothing to keep"
    CommitsAndSends "commits {v} and sends its invalidation"
    InvalidationRuns "'s invalidation of {v} runs in Redis"
    WaitsToSettle "'s invalidation is confirmed, and is to settle"
    HasSettled "has returned, settled: from now on everywhere at least {v}"
    Announces "changes are announced"
    TimePasses "a tick of time passes"
    TrackingGoes "the server forgets whom it has told, and says so"
    LinkDies "its link dies"
    SlotMoves "the slot moves to another server"
    OldOwnerHears "the old owner of the slot hears of an election"
    OldOwnerKnows "the old owner of the slot hears of the move"
    OldOwnerTrims "the old owner removes what it has of the slot"

    // Entries that are checked
    AsksForHeader "reads the header under the key"
    Stands "reads the tag's generation: what is kept still stands, {v} is returned"
    StandsNot "reads the tag's generation: what is kept does not stand"

    // Updates
    GetsToUpdate "GET, to be updated"
    Sets "'s SET runs in Redis"
    Swaps "'s compare-and-set runs in Redis: stored"
    SwapRefused "'s compare-and-set runs in Redis: refused"
    SwapRepeated "'s compare-and-set runs in Redis again: its own value stands there"
    Resends "gets no answer and sends the same once more"
    Updated "is told that it has updated"
    TriesAgain "is refused and begins anew"
    RunsOutOfTries "is refused and gives up"
    IsInDoubt "cannot know whether it has updated, and says so"

    // Write-behind
    Accepted "'s write {v} is pending and queued, and it is told so"
    HalfAccepted "'s write {v} is queued, and not yet pending"
    OwnsQueue "owns the queue from now on"
    TakesWrite "takes the write {v}"
    Applies "commits the write {v}, if the source does not know its number"
    Buries "has failed too often with {v}: a dead letter"
    Finishes "'s end of {v} runs in Redis"
    WorkerDies "dies"
    OwnerLapses "the owner of the queue has given no sign of life for too long"
    Retries "an operator puts the dead letters into the queue again"
    ServesPending "finds the write {v} pending and returns it"
    PassesPending "cannot read what is pending: it loads, to store nothing"
    SparesPending "a removal leaves the pending entry alone"
    Removes "a removal runs"
    RunsOut "what stands under the key runs out"
    PendingEvicted "the pending entry is evicted"
}

/// What breaks the promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A read returned less than what was confirmed before it began.
    StaleRead {
        /// Who.
        reader: usize,
        /// What it returned.
        version: Version,
        /// What it should have returned at least.
        floor: Version,
    },
    /// A process would serve from its memory less than a read must get that starts now.
    StaleLocal {
        /// Which.
        process: usize,
        /// What it would return.
        version: Version,
        /// What it should return at least.
        floor: Version,
    },
    /// Nothing is under way, and the cache keeps an old version.
    Stranded {
        /// The old one.
        kept: Version,
        /// The source's.
        row: Version,
    },
    /// An update counts more or less often than its caller was told.
    Miscounted {
        /// Whose.
        updater: usize,
        /// How often it counts.
        times: u8,
    },
    /// An accepted write was never applied.
    Lost {
        /// Which.
        write: Version,
    },
    /// A write was applied after a later one.
    Backwards {
        /// Which.
        row: Version,
    },
}

impl Flaw {
    /// The kinds by name.
    pub fn name(self) -> &'static str {
        match self {
            Self::StaleRead { .. } | Self::StaleLocal { .. } => "stale read",
            Self::Stranded { .. } => "stranded",
            Self::Miscounted { .. } => "miscounted",
            Self::Lost { .. } => "lost",
            Self::Backwards { .. } => "backwards",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StaleRead {
                reader,
                version,
                floor,
            } => write!(
                f,
                "R{reader} returned v{version}, but v{floor} was invalidated before it began"
            ),
            Self::StaleLocal {
                process,
                version,
                floor,
            } => write!(
                f,
                "P{process} serves v{version} from its memory, where at least v{floor} is due"
            ),
            Self::Stranded { kept, row } => write!(
                f,
                "nothing is under way, the source has v{row}, the cache keeps v{kept}"
            ),
            Self::Miscounted { updater, times } => write!(
                f,
                "U{updater}'s update counts {times} times, and its caller was told otherwise"
            ),
            Self::Lost { write } => write!(
                f,
                "the write v{write} was accepted, and is applied by nobody"
            ),
            Self::Backwards { row } => write!(f, "v{row} was applied after a later write"),
        }
    }
}
