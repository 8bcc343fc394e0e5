use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::util::liveness::PATIENCE;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Tasks with one resident, which counts how often it has begun to run.
fn counted(runtime: &Runtime) -> (Arc<Tasks>, Arc<AtomicUsize>) {
    let (tasks, begun) = (
        Tasks::on(runtime.handle().clone()),
        Arc::<AtomicUsize>::default(),
    );
    let count = Arc::clone(&begun);
    tasks.house(move || {
        let count = Arc::clone(&count);
        async move {
            count.fetch_add(1, Ordering::Relaxed);
            pending::<()>().await;
        }
    });
    (tasks, begun)
}

async fn begun(count: &AtomicUsize, wanted: usize) {
    while count.load(Ordering::Relaxed) != wanted {
        tokio::task::yield_now().await;
    }
}

#[test]
fn its_tasks_begin_anew_where_they_are_missed_once_their_runtime_has_ended() {
    let first = runtime();
    let (tasks, count) = counted(&first);
    first.block_on(async {
        begun(&count, 1).await;
        assert!(!tasks.tend(), "all is well");
    });
    drop(first);
    assert!(!tasks.tend(), "there is nowhere to go");
    let second = runtime();
    second.block_on(async {
        assert!(tasks.tend());
        begun(&count, 2).await;
        assert!(!tasks.tend(), "once is enough");
    });
}

#[test]
fn those_beside_them_take_them_along() {
    let first = runtime();
    let (tasks, count) = counted(&first);
    let (one, other) = (tasks.beside(), tasks.beside());
    first.block_on(begun(&count, 1));
    drop(first);
    let second = runtime();
    second.block_on(async {
        assert!(one.tend());
        assert!(!tasks.tend(), "it was done");
        assert!(other.tend(), "each by itself");
        begun(&count, 2).await;
    });
}

#[test]
fn its_tasks_begin_anew_once_their_runtime_has_run_nothing_for_long() {
    let (undriven, here) = (runtime(), runtime());
    let (tasks, count) = counted(&undriven);
    here.block_on(async {
        let moved = async {
            while count.load(Ordering::Relaxed) == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        tasks.tended(moved).await;
        assert!(!tasks.tend());
    });
}

#[test]
fn a_runtime_that_is_driven_keeps_its_tasks_however_often_others_ask() {
    let driven = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let (tasks, count) = counted(&driven);
    runtime().block_on(async {
        let until = Instant::now() + 2 * PATIENCE;
        while Instant::now() < until {
            assert!(!tasks.tend());
            sleep(LOOK).await;
        }
    });
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn what_needs_no_waiting_is_done_without_any_runtime() {
    let ended = runtime();
    let tasks = Tasks::on(ended.handle().clone());
    drop(ended);
    let done = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&done);
    tasks.finish(move || {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready(true)
    });
    assert_eq!(done.load(Ordering::Relaxed), 1);
}

#[test]
fn what_an_ending_runtime_cannot_finish_is_finished_in_the_next_one() {
    let ended = runtime();
    let tasks = Tasks::on(ended.handle().clone());
    drop(ended);
    let done = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&done);
    tasks.finish(move || {
        let count = Arc::clone(&count);
        async move {
            tokio::task::yield_now().await;
            count.fetch_add(1, Ordering::Relaxed);
            true
        }
    });
    runtime().block_on(async {
        assert!(tasks.tend());
        begun(&done, 1).await;
    });
}

#[test]
fn what_began_in_an_ending_runtime_begins_anew_at_home() {
    let (ending, at_home) = (runtime(), runtime());
    let tasks = Tasks::on(at_home.handle().clone());
    let (done, given) = (Arc::<AtomicUsize>::default(), Arc::clone(&tasks));
    let count = Arc::clone(&done);
    let finishing = OnDrop(move || {
        let count = Arc::clone(&count);
        given.finish(move || {
            let count = Arc::clone(&count);
            async move {
                sleep(Duration::from_millis(1)).await;
                count.fetch_add(1, Ordering::Relaxed);
                true
            }
        });
    });
    ending.spawn(async move {
        pending::<()>().await;
        drop(finishing);
    });
    drop(ending);
    at_home.block_on(async {
        while done.load(Ordering::Relaxed) == 0 {
            assert_eq!(tasks.work.tasks(), 1, "it was dropped");
            sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn what_an_ended_runtime_drops_at_once_may_use_the_home() {
    let ended = runtime();
    let tasks = Tasks::on(ended.handle().clone());
    drop(ended);
    let (done, given) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let user = || {
            let tasks = Arc::clone(&tasks);
            OnDrop(move || tasks.house(pending::<()>))
        };
        let holding = |user| async move {
            pending::<()>().await;
            drop::<OnDrop<_>>(user);
            true
        };
        drop(tasks.spawn(holding(user())));
        tasks.finish({
            let user = user();
            move || {
                _ = &user;
                std::future::ready(false)
            }
        });
        let (first, given) = (AtomicUsize::new(0), Arc::clone(&tasks));
        tasks.house(move || {
            let inner = Arc::clone(&given);
            let is_first = first.fetch_add(1, Ordering::Relaxed) == 0;
            let user = OnDrop(move || {
                if is_first {
                    inner.house(pending::<()>);
                }
            });
            async move {
                pending::<()>().await;
                drop(user);
            }
        });
        done.send(()).unwrap();
    });
    let ended = given.recv_timeout(Duration::from_secs(20));
    assert!(ended.is_ok(), "it waits for its own lock");
}

#[test]
fn however_often_others_ask_an_undriven_runtime_is_given_few_tasks() {
    let undriven = runtime();
    let tasks = Tasks::on(undriven.handle().clone());
    runtime().block_on(async {
        for _ in 0..100 {
            tasks.tend();
        }
    });
    let tasks = undriven.metrics().num_alive_tasks();
    assert!(tasks <= 2, "{tasks}");
}

#[test]
fn what_is_left_unfinished_does_not_keep_its_cache() {
    let ended = runtime();
    let cache = ended.block_on(
        crate::engine::handle::Cache::builder()
            .url("memory://")
            .build(),
    );
    let cache = cache.unwrap();
    drop(ended);
    cache.inner.finish(|_| async {
        tokio::task::yield_now().await;
        true
    });
    assert_eq!(cache.inner.runtime.state.lock().unfinished.len(), 1);
    let left = Arc::downgrade(&cache.inner);
    drop(cache);
    assert_eq!(left.strong_count(), 0);
}

/// Does something when it is dropped.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}
