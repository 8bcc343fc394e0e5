//! One of the processes: its share of the readers and writers, for the given time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::annotated::By;
use crate::faults::Weather;
use crate::log::{Log, now};
use crate::report::Counts;
use crate::subject::{Ended, Subject, Way, pause};
use crate::support::eventually;
use crate::truth::{Floors, Truth};
use crate::{CACHES, CHILD, KEYS, LOGS, PROCESSES, READERS, WRITERS};

/// What a process is told to do.
pub(crate) struct Task {
    pub(crate) way: Way,
    pub(crate) weather: Weather,
    pub(crate) index: usize,
    pub(crate) cache: String,
    pub(crate) source: String,
    pub(crate) seconds: u64,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            way,
            weather,
            index,
            cache,
            source,
            seconds,
        } = self;
        write!(f, "{way} {weather} {index} {cache} {source} {seconds}")
    }
}

impl Task {
    /// The task of this process, if it was started for one.
    pub(crate) fn from_env() -> Option<Self> {
        let task = std::env::var(CHILD).ok()?;
        let mut words = task.split(' ').map(str::to_owned);
        let mut next = || words.next().expect("the parent writes six words");
        Some(Self {
            way: next().parse().expect("a way"),
            weather: next().parse().expect("a weather"),
            index: next().parse().expect("an index"),
            cache: next(),
            source: next(),
            seconds: next().parse().expect("a time"),
        })
    }

    /// Does it, and prints the counts.
    pub(crate) fn run(&self) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        println!("{}", runtime.block_on(self.stress()));
    }

    async fn stress(&self) -> Counts {
        let folder = std::env::var(LOGS).ok();
        let log = folder.map(|folder| Log::create(&folder, self.index));
        let mut subjects = Vec::new();
        for _ in 0..CACHES {
            subjects.push(Subject::new(self.way, self.weather, &self.cache, log.as_ref()).await);
        }
        let worker = Worker {
            subjects: subjects.into(),
            truth: Truth::connect(&self.source).await,
            tally: Arc::default(),
            floors: Floors::new(),
            log,
            until: Instant::now() + Duration::from_secs(self.seconds),
            has_windows: self.weather.has_windows(),
        };
        let mut workers = JoinSet::new();
        for _ in 0..share(READERS, self.index, PROCESSES) {
            workers.spawn(worker.clone().read());
        }
        // The last process only reads: it has no invalidations of its own to go by.
        for _ in 0..share(WRITERS, self.index, PROCESSES - 1) {
            workers.spawn(worker.clone().write());
        }
        while let Some(ended) = workers.join_next().await {
            ended.expect("no worker panics");
        }
        worker.all_have_landed().await;
        worker.log(Log::close);
        worker.counts()
    }
}

/// The share of a process in what so many do.
fn share(workers: usize, index: usize, processes: usize) -> usize {
    match index < processes {
        true => (workers + processes - 1 - index) / processes,
        false => 0,
    }
}

#[derive(Clone)]
struct Worker {
    subjects: Arc<[Subject]>,
    truth: Truth,
    tally: Arc<Tally>,
    floors: Floors,
    log: Option<Log>,
    until: Instant,
    has_windows: bool,
}

#[derive(Default)]
struct Tally {
    reads: AtomicU64,
    writes: AtomicU64,
    by_tag: AtomicU64,
    stale: AtomicU64,
    in_windows: AtomicU64,
    stale_in_windows: AtomicU64,
    dropped: AtomicU64,
}

fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Worker {
    async fn read(self) {
        while Instant::now() < self.until {
            let key = some_key();
            if fastrand::u32(0..100) == 0 {
                self.read_and_hang_up(key).await;
            } else {
                self.read_checked(key).await;
            }
            pause(Duration::from_millis(1)).await;
        }
    }

    async fn read_checked(&self, key: u64) {
        let windows = self.windows().await;
        let floor = self.truth.floor(key).await.max(self.floors.of(key));
        let began = now();
        let version = self.subject().read(&self.truth, key).await;
        self.log(|log| log.read(key, began, version));
        add_one(&self.tally.reads);
        let is_stale = version.is_some_and(|version| version < floor);
        match self.is_outside(windows).await {
            true if is_stale => add_one(&self.tally.stale),
            true => {}
            false => {
                add_one(&self.tally.in_windows);
                self.tally
                    .stale_in_windows
                    .fetch_add(is_stale.into(), Ordering::Relaxed);
            }
        }
    }

    async fn windows(&self) -> u64 {
        match self.has_windows {
            true => self.truth.windows().await,
            false => 0,
        }
    }

    /// Whether none was open since there were so many.
    async fn is_outside(&self, windows: u64) -> bool {
        windows.is_multiple_of(2) && self.windows().await == windows
    }

    /// A caller that goes away while it waits.
    async fn read_and_hang_up(&self, key: u64) {
        let patience = Duration::from_micros(fastrand::u64(0..3000));
        if timeout(patience, self.subject().read(&self.truth, key))
            .await
            .is_err()
        {
            add_one(&self.tally.dropped);
        }
    }

    async fn write(self) {
        let mut deferred = JoinSet::new();
        while Instant::now() < self.until {
            let key = some_key();
            let subject = self.subject();
            let windows = self.windows().await;
            let (version, by, ended) = subject.write(&self.truth, key).await;
            // It may be confirmed by who is no owner any more; it is repeated when that is known.
            let ended = match self.is_outside(windows).await {
                true => ended,
                false => Ended::Failed,
            };
            self.log(|log| log.write_of(key, version, ended == Ended::Confirmed));
            match ended {
                Ended::Confirmed => self.truth.raise_floor(key, version).await,
                Ended::Deferred => {
                    // It binds this process from now on.
                    self.floors.raise(key, version);
                    deferred.spawn(self.clone().replayed(subject.clone(), key, version));
                }
                Ended::Failed => {}
            }
            add_one(&self.tally.writes);
            if by == By::Tag {
                add_one(&self.tally.by_tag);
            }
            pause(Duration::from_millis(8)).await;
        }
        deferred.join_all().await;
    }

    fn log(&self, about: impl FnMut(&Log)) {
        self.log.iter().for_each(about);
    }

    /// One of the caches.
    fn subject(&self) -> &Subject {
        &self.subjects[fastrand::usize(..self.subjects.len())]
    }

    /// An invalidation binds all processes as soon as nothing waits in its cache any more.
    async fn replayed(self, subject: Subject, key: u64, version: u64) {
        subject.flush().await;
        self.log(|log| log.replayed(key, version));
        self.truth.raise_floor(key, version).await;
    }

    /// Callers have their values before these are stored. A load whose caller was dropped has none.
    async fn all_have_landed(&self) {
        let landed = async || {
            let counts = self.counts();
            let dropped = self.tally.dropped.load(Ordering::Relaxed);
            let begun = counts.misses + counts.renewals + counts.written_through;
            let stored = counts.fills + counts.refused + self.truth.moved();
            stored + counts.errors + counts.failed_loads + dropped >= begun
        };
        eventually("the fills", landed).await;
    }

    fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            reads: of(&self.tally.reads),
            writes: of(&self.tally.writes),
            by_tag: of(&self.tally.by_tag),
            failed_loads: self.truth.refused(),
            stale: of(&self.tally.stale),
            in_windows: of(&self.tally.in_windows),
            stale_in_windows: of(&self.tally.stale_in_windows),
            ..self.subjects.iter().map(Subject::counts).sum()
        }
    }
}

/// Some keys are hotter than others.
fn some_key() -> u64 {
    fastrand::u64(0..KEYS).min(fastrand::u64(0..KEYS))
}
