//! A model of the protocol behind cached-redis, explored exhaustively.
//!
//! The promise is that once an invalidation has returned, no read that starts afterwards returns a
//! value loaded before it. Tests try some of the orders in which things can happen; this tries all of
//! them, for a few readers and writers of one key. It is the place to try a change of the protocol
//! before it is written: add the step, and see whether the promise still holds.
//!
//! ```sh
//! cargo test -p protocol-model                    # a part, in seconds; also in `cargo test --workspace`
//! cargo run --release -p protocol-model           # all of it: minutes, and up to 2 GB of memory
//! cargo run --release -p protocol-model o3 f      # those whose names begin with o3 or f
//! cargo run --release -p protocol-model -- --traces n1    # with the shortest counter-example
//! MODEL=full cargo test --release -p protocol-model       # all of it, as a test
//! cargo run --release -p protocol-model -- --replay FILE…  # a log of the stress test
//! ```
//!
//! # What is modelled
//!
//! One key in Redis, one row in the source (a version that each commit increases), three readers in
//! two processes, two writers; where a configuration says so, also the generation of a tag, and the
//! entry of another function that the load calls. A [`State`] is one moment of all that. Each thing
//! that can happen to it is one indivisible step: a command that runs in Redis, a look at the source, a
//! decision that a process makes for itself. Commands that were sent run at any later time, so a fill
//! may arrive when everybody has forgotten it. Leases run out and values go at any time. A reader may
//! be dropped, the answer to a fill may be lost. Where a configuration says so, writers die between
//! their commit and their invalidation, Redis is out of reach for a writer, it fails over to an older
//! copy, or the source is read from a replica that lags.
//!
//! Two things must never be the case ([`Flaw`]):
//!
//! * A read returns an older version than one whose invalidation had returned when the read began.
//! * Nothing is under way any more, and the cache keeps an older version than the source has.
//!
//! `update`, where the value in the cache is the truth, is a model of its own ([`Updates`]): three
//! callers read, change and put back one value. Each update must count as often as its caller was told.
//! So are the removal of several keys whose functions call one another ([`Sweeps`]), and a slot of a cluster
//! that goes to another server ([`Moves`]). And so is write-behind ([`Behind`]), whose promise is another one: a
//! read returns the last write that was accepted before it or a later one, and each is applied, none after a
//! later one.
//!
//! The [`table`] lists the configurations: the protocol as shipped, in several worlds; its parts; and
//! **broken twins**, each of which leaves one rule out. The twins are as important as the rest. A
//! checker that finds nothing may be blind; here it must find a counter-example, a shortest one, for
//! every rule that is left out. The other way round, a configuration that holds must have **seen** the
//! steps it is about: a refused fill, a joined flight, a failover.
//!
//! # What is assumed
//!
//! Redis runs one command or script on a key after the other. A load sees what was committed before
//! it began. A hold is longer than the write it announces, and a hold-off longer than the lag (c4 shows
//! what happens otherwise). Tombstones are not evicted (c8). Nothing is assumed about clocks and delays.
//!
//! The bounds are what one model can have: one key with one tag, each reader and each writer acts once,
//! one reader is dropped, Redis fails over once. No counter-example is known that needs more. Not
//! modelled are tags across a failover.
//!
//! Three things keep the states few without hiding anything: readers that are alike start in one
//! order, so do writers, and a token or generation that nobody remembers is used again.
//!
//! # A level in process memory
//!
//! These are the rows l, m, e, g, h and x. What decides there is the module `local` of the library; `level` has
//! the world around it, and says what it has of the level below. A process may serve from its memory what is older than an invalidation, for `delta`
//! after that has returned: l, m where every change is announced, g with a tag. A writer may wait that time
//! out: e. Or Redis is asked each time whether what is kept still stands, which is the promise word for word: x.
//!
//! * l3b, l8c: to drop before an invalidation is sent is not needed, as long as what waits in the journal is
//!   not served (l8b).
//! * l9, e4: both assume a clock that runs on while its machine sleeps, and e one that runs as fast as that
//!   of the writer.
//! * h1, h2: where the slot of a key moves, or a replica takes over, the bound is `delta` **and** the time that
//!   the old owner needs to hear of it. A PING does not tell that (h3); `CLUSTER INFO` or the epoch does.
//! * h6, h7: an old owner may hear that there was an election before it hears what that has changed. Then it is read
//!   anew, and asked in vain; so it has to announce what it removes when it knows, as servers do that remove it then.
//!
//! * x1: what is checked needs no ticket, and may be kept although its fill was refused, as long as each entry
//!   has a token of its own (x2b).
//!
//! What binds one process does not depend on what the other keeps: they share the server and its commands,
//! and what it tells one of them says nothing to the other. So one of them is explored.
//!
//! # What needs no model of its own
//!
//! A **batch** is to each of its keys what a single read is. Its `MGET` is a look at each; each missing
//! key gets a lease and a flight of its own; the one load begins when the last of these leases has been
//! asked for; each fill is granted or refused by its own lease, and each flight ends with its own fill.
//! Between any two steps of a reader here, all others may take any number, so it does not matter what
//! the batch does for its other keys between the lease of one and its load, or its load and its fill. A
//! key whose lease is refused is read as by itself.
//!
//! **Several tags** of one entry are to it what one is: it is dead if one of them has another generation
//! than it was stamped with, and an invalidation changes one of them. An inner function that is **shared**
//! by its readers hands the stamp of its leader on to each of them, as an inner hit does here.
//!
//! # How it is laid out
//!
//! | file | what |
//! |---|---|
//! | `state`, `actor` | all there is at one moment; how far readers and writers can be |
//! | `server` | what Redis does to the key: a function per command or script |
//! | `read` | what a read does next: the library's own, from `cached-redis/src/protocol/read` |
//! | `search` | what the steps of a reader meet here on the way to a value or to the right to load |
//! | `flight`, `load` | a load under a lease, who shares it, its fill |
//! | `bypass`, `refresh` | a load without a lease; `.refreshed()`, `put`, stale-while-revalidate |
//! | `expired` | stale-if-error |
//! | `tag` | a tag's generations, before a load and after a fill |
//! | `nested` | a load that calls another cached function |
//! | `update` | read-modify-write |
//! | `local` | the decisions of a level in process memory: the library's own, from `cached-redis/src/protocol/local` |
//! | `level` | its world: a model of its own |
//! | `check` | a level whose entries are compared with what Redis has: another one |
//! | `sweep` | the removal of several keys of functions that call one another |
//! | `writer` | commit, invalidation, two phases, journal |
//! | `transaction`, `pattern` | invalidations that are collected until the commit; those that look for their keys |
//! | `world` | what runs out, lags and fails |
//! | `config`, `table` | what is varied; the configurations and what is expected of each |
//! | `replay` | whether the model allows what a real run has written down |
//! | `step`, `event` | how the files above describe a step, and its words in a trace |
//! | `checker`, `report` | the search, which knows nothing of caches; the lines it prints |
//!
//! # How to add a step
//!
//! 1. Give it words in `event`.
//! 2. Where something has to be remembered for it, add that to a [`Phase`], a [`Stage`] or the
//!    [`State`]; a token there also goes to `Phase::token`.
//! 3. Add it, with `steps.add(who, |next| …)`, in the file of the one who takes it. The closure changes
//!    `next.state` and returns the words. What runs in Redis is a function in `server`.
//! 4. If it can be left out or done wrongly, make that a field of [`Config`], and add rows to the
//!    table: one that holds and must have seen the step, and a broken twin.
//!
//! A step of a read is added to the library: `read` names it, and what makes it safe is a `Rule` there.
//!
//! A change of the shipped protocol changes [`Config::shipped`], and with it nearly every row.
//!
//! Something that shares no state with this one, such as the level in process memory, is a model of its
//! own: the checker explores whatever implements [`Model`].

mod actor;
mod behind;
mod bypass;
mod check;
mod checker;
mod config;
mod event;
mod expired;
mod flight;
mod level;
mod load;
#[path = "../../cached-redis/src/protocol/local/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the library uses the rest")]
mod local;
mod moving;
mod nested;
mod pattern;
mod protocol;
#[path = "../../cached-redis/src/protocol/read/mod.rs"]
#[allow(dead_code, reason = "the rules of the library are all of them")]
mod read;
mod refresh;
mod replay;
mod report;
#[path = "../../cached-redis/src/protocol/rules.rs"]
mod rules;
mod search;
mod server;
mod state;
mod step;
mod sweep;
mod table;
mod tag;
mod transaction;
mod update;
mod world;
mod writer;

pub use actor::*;
pub use behind::Behind;
pub use check::Checks;
pub use checker::{Model, Outcome, Step, StepOf, explore};
pub use config::*;
pub use event::{Event, Flaw, What, Who};
pub use level::{Ago, Level, Moment};
pub use moving::{Moves, Slot};
pub use replay::{Refused, Replayed, Server, replay};
pub use report::{Bounds, Summary, run};
pub use server::Condition;
pub use state::*;
pub use sweep::{Bar, Scene, Sweeps};
pub use table::{Row, Subject, Verdict, table};
pub use tag::{Change, Origin, Recheck, Stamping, Tags};
pub use update::*;
