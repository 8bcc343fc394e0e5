//! A load that a write has overtaken is kept by nobody and shared with nobody who comes after that
//! write: each kind of load against each way to write, in this process and from another one, beside
//! everybody who can come late.

use std::time::Duration;

use cached_redis::Cache;
use tokio::task::JoinHandle;

use crate::support::{Source, World, eventually, in_time, on_both_stores, tier};

mod loads;
mod writes;

use loads::{Before, LOADS, Load};
use writes::{WRITES, Write};

/// A test for each kind of load.
macro_rules! loads {
    ($($name:ident),+ $(,)?) => {
        on_both_stores!($($name),+);
        $(async fn $name(world: World) {
            overtaken(&world, stringify!($name)).await;
        })+

        #[test]
        fn every_kind_of_load_is_overtaken() {
            assert_eq!(LOADS.map(|load| load.name), [$(stringify!($name)),+]);
        }
    };
}

loads!(
    miss,
    absence,
    by_hand,
    batch,
    tagged,
    tagged_by_hand,
    tagged_batch,
    new_tag,
    known_tag,
    refresh_of_nothing,
    refresh,
    refresh_of_a_batch,
    tagged_refresh,
    refresh_with_a_known_tag,
    while_revalidating,
    ahead,
    early,
    past_its_ttl,
    past_the_soft_timeout,
);

/// Who comes late.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Late {
    /// Those who come when all is over.
    Nobody,
    /// Those who wait for the load already when the write comes.
    Waiting,
    /// Those who come after the write, to the process that loads.
    Here,
    /// The same in the other one.
    Elsewhere,
}

const LATE: [Late; 4] = [Late::Nobody, Late::Waiting, Late::Here, Late::Elsewhere];
const READERS: usize = 3;

/// A row of its own, and two processes that read it. The first one loads.
#[derive(Clone)]
struct Cell {
    load: Load,
    processes: [Cache; 2],
    source: Source,
    id: u64,
}

async fn overtaken(world: &World, name: &str) {
    let load = LOADS.into_iter().find(|load| load.name == name).unwrap();
    let worlds = [processes(world, false).await, processes(world, true).await];
    for (id, (write, writer, late)) in (0..).zip(columns()).step_by(tier(2, 1)) {
        let what = format!("{name} / {write:?} by process {writer} / {late:?}");
        if let Some(reason) = why_empty(&load, write, late) {
            println!("{what}: left out, {reason}");
            continue;
        }
        println!("{what}");
        let cell = Cell {
            load,
            processes: worlds[usize::from(write == Write::Guarded)].clone(),
            // An entry whose load took no time never expires early.
            source: Source::slow(Duration::from_millis(1)),
            id,
        };
        cell.run(world, write, writer, late).await;
    }
}

/// What overtakes, from which of two processes, and who comes late. Every second one is each write
/// beside each who comes late, from one process or the other.
fn columns() -> impl Iterator<Item = (Write, usize, Late)> {
    let rows = (0..).zip(WRITES);
    let pairs = rows.flat_map(|(row, write)| LATE.map(|late| (row + late as usize, write, late)));
    pairs.flat_map(|(at, write, late)| [0, 1].map(|writer| (write, (at + writer) % 2, late)))
}

/// Why there is no such cell.
fn why_empty(load: &Load, write: Write, late: Late) -> Option<&'static str> {
    match (write, late) {
        (Write::Tag | Write::AnnotatedTag, _) if !load.is_tagged => Some("it has no tag"),
        (Write::Update, _) if !matches!(load.before, Before::Entry(_)) => {
            Some("it waits for the load")
        }
        (Write::Guarded | Write::PutThrough, Late::Waiting) => {
            Some("they may load while the key is barred, before the commit")
        }
        (_, Late::Waiting) if load.name == "past_its_ttl" => {
            Some("who holds an old value is not counted as waiting")
        }
        _ => None,
    }
}

async fn processes(world: &World, guarded: bool) -> [Cache; 2] {
    let process = async || world.patient().guarded(guarded).build().await.unwrap();
    [process().await, process().await]
}

impl Cell {
    async fn run(self, world: &World, write: Write, writer: usize, late: Late) {
        let here = &self.processes[0];
        for _ in 0..self.load.before.reads() {
            assert_eq!(in_time(self.clone().read(0)).await, 1);
            here.flush().await.unwrap();
        }
        self.source.hold();
        let before = ended(here);
        let begun = self.begin().await;
        let readers = self.meet(world, write, writer, late).await;
        self.source.release();
        for (at, reader) in begun.into_iter().enumerate() {
            let value = in_time(reader).await.unwrap();
            assert!(value == 1 || at > 0, "its own caller gets what it loaded");
        }
        for reader in readers {
            assert_eq!(in_time(reader).await.unwrap(), 2, "whoever came late");
        }
        here.flush().await.unwrap();
        assert!(ended(here) > before || self.load.stores_nothing);
        for process in [0, 1, 0] {
            assert_eq!(in_time(self.clone().read(process)).await, 2);
        }
    }

    /// The write, and who comes late.
    async fn meet(
        &self,
        world: &World,
        write: Write,
        writer: usize,
        late: Late,
    ) -> Vec<JoinHandle<u64>> {
        let mut waiting = match late {
            Late::Waiting => self.come(0).await,
            _ => Vec::new(),
        };
        // Others were given what stood before the write.
        waiting.retain(|reader| !reader.is_finished());
        in_time(write.run(world, &self.processes[writer], self)).await;
        let process = match late {
            Late::Nobody | Late::Waiting => return waiting,
            Late::Here => 0,
            Late::Elsewhere => 1,
        };
        let loads = self.source.loads();
        let readers = self.come(process).await;
        if (process == 1 || writer == 0) && write.lets_load() {
            // Nobody waits for the one that was overtaken, which is held.
            self.source.begun(loads + 1).await;
        }
        readers
    }

    /// Reads until a load is under way; what stands may be served before.
    async fn begin(&self) -> Vec<JoinHandle<u64>> {
        let (loads, mut reads) = (self.source.loads(), Vec::new());
        let begun = || self.source.loads() > loads;
        while !begun() {
            let read = tokio::spawn(self.clone().load());
            eventually("a load", async || begun() || read.is_finished()).await;
            reads.push(read);
        }
        reads
    }

    /// Readers of a process, each of which waits, loads or has been answered.
    async fn come(&self, process: usize) -> Vec<JoinHandle<u64>> {
        let cache = &self.processes[process];
        let busy = || cache.stats().total().waits as usize + self.source.loads();
        let before = busy();
        let read = |_| tokio::spawn(self.clone().read(process));
        let readers: Vec<_> = (0..READERS).map(read).collect();
        let come = async || {
            let answered = readers.iter().filter(|reader| reader.is_finished()).count();
            busy() - before + answered >= READERS
        };
        eventually("the readers", come).await;
        readers
    }

    async fn load(self) -> u64 {
        self.load
            .begin(&self.processes[0], &self.source, self.id)
            .await
    }

    async fn read(self, process: usize) -> u64 {
        self.load
            .read(&self.processes[process], &self.source, self.id)
            .await
    }
}

/// How many fills of `cache` have come to an end.
fn ended(cache: &Cache) -> u64 {
    let total = cache.stats().total();
    total.fills + total.refused_fills + total.lapsed_fills
}

on_both_stores!(loads_of_both_processes);

async fn loads_of_both_processes(world: World) {
    let cell = Cell {
        load: LOADS[0],
        processes: processes(&world, false).await,
        source: Source::held(),
        id: 0,
    };
    let mut readers = Vec::new();
    for process in [0, 1] {
        readers.extend(cell.come(process).await);
        let writer = &cell.processes[0];
        Write::Key.run(&world, writer, &cell).await;
    }
    cell.source.release();
    for reader in readers {
        in_time(reader).await.unwrap();
    }
    for process in [0, 1] {
        cell.processes[process].flush().await.unwrap();
        assert_eq!(cell.clone().read(process).await, 3);
    }
}
