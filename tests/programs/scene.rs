//! Takes the steps of a program, and judges every answer.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use cached_redis::{CachedExt as _, Mode};
use tokio::time::{sleep, timeout};

use crate::features::Feature;
use crate::oracle::{Asked, Binds, Read, Returned, Target};
use crate::process::Process;
use crate::program::{Action, Member, Program, Step, Wish};
use crate::readers::{Boxed, Found, Reader};
use crate::runner::Store;
use crate::support::after_polls;
use crate::truth::{PLANTED, Place, Truth, pause};
use crate::writers::{Writer, forget};

/// What takes part in a program.
pub(crate) struct Scene {
    pub(crate) processes: BTreeMap<Member, Process>,
    /// Whether the clock is.
    pub(crate) held: bool,
    pub(crate) wrong: Mutex<Vec<String>>,
    /// Invalidations behind somebody who has gone.
    pub(crate) late: Mutex<Vec<(Arc<Truth>, Returned)>>,
}

impl Scene {
    pub(crate) async fn new(program: &Program, store: &Store) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let url = match store {
            Store::Memory => format!("memory://program-{number}"),
            Store::Redis(url) => url.clone(),
        };
        let names = [format!("a{number}"), format!("b{number}")];
        let truths = names.each_ref().map(|name| Truth::new(name));
        let mut processes = BTreeMap::new();
        for member in program.members() {
            let truth = &truths[usize::from(member == Member::B)];
            let process = Process::new(member, program, &url, truth).await;
            processes.insert(member, process);
        }
        Self {
            processes,
            held: matches!(store, Store::Memory),
            wrong: Mutex::default(),
            late: Mutex::default(),
        }
    }

    pub(crate) async fn step(&self, step: &Step) {
        sleep(Duration::from_millis(step.pause.into())).await;
        let process = &self.processes[&step.member];
        let place = process.place();
        match &step.action {
            Action::Read(reader, id, wish) => {
                self.read(process, &place, reader, *id, *wish, step.polls)
                    .await
            }
            Action::Write(writer, id) => self.write(process, &place, writer, *id, step.polls).await,
            Action::Forget(reader, id) => {
                let key = (reader.key)(*id);
                let targets = Mutex::new(vec![Target::Key(key.clone())]);
                let write = Box::pin(async { forget(&place, &key, *id).await });
                self.written(process, &place, &targets, step.polls, &[*id], write)
                    .await;
            }
            Action::Transaction(writes, reads, commits) => {
                self.transaction(process, writes, reads, *commits, step.polls)
                    .await;
            }
            Action::Shadow(function, on) => {
                let mode = if *on { Mode::Shadow } else { Mode::On };
                process
                    .cache
                    .set_mode(function, mode)
                    .expect("it is annotated");
            }
            Action::Mishap(mishap, row) => process.truth.plan(*row, *mishap),
            Action::Outage(on) => process.faults.outage(*on),
            Action::Flush => drop(process.flush().await),
            Action::Time(millis) => {
                let most = if self.held { u16::MAX } else { 60 };
                sleep(Duration::from_millis((*millis).min(most).into())).await;
            }
        }
    }

    pub(crate) async fn read(
        &self,
        process: &Process,
        place: &Place,
        reader: &Reader,
        id: u8,
        wish: Wish,
        polls: Option<u8>,
    ) {
        let read = Read::begin(place, process.number);
        let call = process.cache.scope((reader.call)(place, id));
        let call: Boxed<'_, _> = match wish {
            Wish::Cached => Box::pin(call),
            Wish::Refreshed => Box::pin(call.refreshed()),
            Wish::Uncached => Box::pin(call.uncached()),
        };
        let asked = |row| Asked {
            key: (reader.key)(row),
            tags: (reader.tags)(row).into_iter().collect(),
            row,
            versioned: reader.has(Feature::Versions),
        };
        let judged = match self.limited(polls, call).await {
            Some(Found::Values(values)) => values
                .iter()
                .try_for_each(|(row, value)| read.value(&asked(*row), value)),
            Some(Found::Absent(row)) => read.absence(&asked(row)),
            Some(Found::Failed(failed)) => read.failure(failed),
            Some(Found::Nothing) | None => Ok(()),
        };
        if let Err(wrong) = judged {
            self.wrong(format!("{} of {:?}: {wrong}", reader.name, process.member));
        }
    }

    async fn write(
        &self,
        process: &Process,
        place: &Place,
        writer: &Writer,
        id: u8,
        polls: Option<u8>,
    ) {
        let targets = (writer.targets)(id);
        match targets.is_empty() {
            // It stores what must be current.
            true => {
                let _alone = place.truth.writing[usize::from(id)].write().await;
                let put = process.cache.scope((writer.call)(place, id));
                self.limited(polls, put).await;
            }
            false => {
                self.written(
                    process,
                    place,
                    &Mutex::new(targets),
                    polls,
                    &[id],
                    (writer.call)(place, id),
                )
                .await
            }
        }
    }

    /// Runs what writes, and notes the invalidation that has returned with it.
    async fn written(
        &self,
        process: &Process,
        place: &Place,
        targets: &Mutex<Vec<Target>>,
        polls: Option<u8>,
        rows: &[u8],
        write: Boxed<'_, ()>,
    ) {
        let mut writing = Vec::new();
        for row in rows {
            writing.push(place.truth.writing[usize::from(*row)].read().await);
        }
        let before = process.unconfirmed();
        let ended = self.limited(polls, process.cache.scope(write)).await;
        let Some(versions) = place.wrote.lock().unwrap().take() else {
            return;
        };
        let binds = match process.unconfirmed() == before {
            true => Binds::All,
            false => Binds::Process(process.number, process.member),
        };
        let returned = Returned {
            targets: std::mem::take(&mut targets.lock().unwrap()),
            versions,
            binds,
        };
        match ended {
            Some(()) => place.truth.returned.lock().unwrap().push(returned),
            None => self
                .late
                .lock()
                .unwrap()
                .push((Arc::clone(&place.truth), returned)),
        }
    }

    async fn transaction(
        &self,
        process: &Process,
        writes: &[(&'static Writer, u8)],
        reads: &[(Member, &'static Reader, u8)],
        commits: bool,
        polls: Option<u8>,
    ) {
        let place = process.place().begin();
        let targets = Mutex::new(Vec::new());
        let mut rows: Vec<_> = writes.iter().map(|(_, id)| *id).collect();
        rows.sort_unstable();
        rows.dedup();
        let steps = async {
            for (writer, id) in writes {
                let before = place.writes.load(Ordering::SeqCst);
                (writer.call)(&place, *id).await;
                // One that was refused invalidates nothing.
                if place.writes.load(Ordering::SeqCst) > before {
                    targets.lock().unwrap().extend((writer.targets)(*id));
                }
            }
            for (member, reader, id) in reads {
                let process = &self.processes[member];
                let place = Place {
                    cache: process.cache.clone(),
                    ..place.clone()
                };
                self.read(process, &place, reader, *id, Wish::Cached, None)
                    .await;
            }
        };
        let whole = Box::pin(async {
            let after = process.cache.after_commit();
            after.scope(steps).await;
            if commits {
                let commit = async {
                    pause().await;
                    place.commit_all();
                    pause().await;
                };
                after.commit_with(commit).await;
            }
        });
        self.written(process, &place, &targets, polls, &rows, whole)
            .await;
    }

    /// `None`: it was dropped, or has panicked as it was asked to.
    async fn limited<T>(&self, polls: Option<u8>, future: impl Future<Output = T>) -> Option<T> {
        let most = Duration::from_secs(60);
        let future = caught(future);
        let ended = match polls {
            Some(polls) => after_polls(polls.into(), future).await?,
            None => match timeout(most, future).await {
                Ok(ended) => ended,
                Err(_) => {
                    self.wrong("it hangs".to_owned());
                    return None;
                }
            },
        };
        ended.map_err(|panic| self.panicked(&*panic)).ok()
    }

    fn panicked(&self, panic: &(dyn Any + Send)) {
        if panic.downcast_ref::<&str>() != Some(&PLANTED) {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            self.wrong(format!("a panic: {text}"));
        }
    }

    fn wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }
}

/// `future`, up to a panic.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}
