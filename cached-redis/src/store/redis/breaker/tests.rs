use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::task::JoinHandle;

use super::*;

const DEADLINE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(3);

/// A server under probes, on a held clock.
struct Probed {
    breaker: Arc<Breaker>,
    answers: Arc<AtomicBool>,
    probes: Arc<AtomicUsize>,
    watch: JoinHandle<()>,
}

/// A breaker that three failures open, and the watch over it.
fn probed() -> Probed {
    let breaker = Arc::new(Breaker::new(3));
    let (answers, probes) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let watch = {
        let (breaker, answers, probes) = (breaker.clone(), answers.clone(), Arc::clone(&probes));
        tokio::spawn(async move {
            let probing = Probing {
                deadline: DEADLINE,
                patience: PATIENCE,
            };
            let probe = || async {
                AtomicUsize::fetch_add(&probes, 1, Ordering::Relaxed);
                if !answers.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                true
            };
            breaker.watch(&"test", probing, probe).await;
        })
    };
    Probed {
        breaker,
        answers,
        probes,
        watch,
    }
}

impl Probed {
    fn probes(&self) -> usize {
        self.probes.load(Ordering::Relaxed)
    }

    fn state(&self) -> BreakerState {
        self.breaker.state()
    }

    /// Waits until the breaker is in `state`; how long it took, to the millisecond.
    async fn until(&self, state: BreakerState) -> Duration {
        let started = Instant::now();
        while self.state() != state {
            assert!(started.elapsed() < Duration::from_secs(60), "{state:?}");
            sleep(Duration::from_millis(1)).await;
        }
        started.elapsed()
    }

    fn open(&self) {
        while self.state() == BreakerState::Closed {
            timed_out(&self.breaker);
        }
    }
}

fn timed_out(breaker: &Breaker) {
    assert!(breaker.admits());
    breaker.ended::<()>(&Err(StoreError::Timeout));
}

fn refused(breaker: &Breaker, code: &str) {
    assert!(breaker.admits());
    let code = code.to_owned();
    breaker.ended::<()>(&Err(StoreError::Server { code }));
}

#[test]
fn it_opens_after_so_many_failures_in_a_row_and_then_attempts_nothing() {
    let breaker = Breaker::new(3);
    for _ in 0..2 {
        timed_out(&breaker);
    }
    assert!(breaker.admits());
    breaker.ended::<()>(&Err(StoreError::Lost));
    for _ in 0..1000 {
        assert!(!breaker.admits());
        breaker.reject();
    }
    let stats = breaker.stats();
    assert_eq!(stats.breaker, BreakerState::Open);
    assert_eq!((stats.attempted, stats.rejected), (3, 1000));
    assert_eq!((stats.timeouts, stats.lost), (2, 1));
}

#[test]
fn an_answer_in_between_begins_the_count_anew_and_errors_are_answers() {
    let breaker = Breaker::new(3);
    for code in ["OOM", "NOPERM", "LOADING", "CLUSTERDOWN"] {
        timed_out(&breaker);
        timed_out(&breaker);
        refused(&breaker, code);
    }
    timed_out(&breaker);
    timed_out(&breaker);
    assert!(breaker.admits());
    breaker.ended(&Ok(()));
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn without_failures_there_are_no_probes() {
    let server = probed();
    timed_out(&server.breaker);
    timed_out(&server.breaker);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(server.probes(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answered_probe_closes_it_without_an_operation() {
    let server = probed();
    server.open();
    let attempted = server.breaker.stats().attempted;
    server.until(BreakerState::HalfOpen).await;
    server.until(BreakerState::Open).await;
    server.answers.store(true, Ordering::Relaxed);
    // The next wait is of 200 ms at most.
    let took = server.until(BreakerState::Closed).await;
    assert!(took <= Duration::from_millis(201), "{took:?}");
    assert_eq!(server.breaker.stats().attempted, attempted);
    assert_eq!(server.probes(), 2);
}

#[tokio::test(start_paused = true)]
async fn probes_come_one_at_a_time_and_ever_less_often() {
    let server = probed();
    server.open();
    for most in [100, 200, 400, 800] {
        let wait = server.until(BreakerState::HalfOpen).await.as_millis();
        assert!((most / 2..=most + 1).contains(&wait), "{wait} of {most}");
        let probe = server.until(BreakerState::Open).await;
        assert!(probe >= DEADLINE - Duration::from_millis(1), "{probe:?}");
    }
    assert_eq!(server.probes(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_failure_right_after_a_probe_opens_it_again_for_longer() {
    let server = probed();
    server.answers.store(true, Ordering::Relaxed);
    for (round, most) in [100, 200, 400, 800, 1600, 2000, 2000]
        .into_iter()
        .enumerate()
    {
        let before = server.breaker.stats().timeouts;
        server.open();
        let failures = server.breaker.stats().timeouts - before;
        assert_eq!(failures, if round == 0 { 3 } else { 1 });
        let open = server.until(BreakerState::Closed).await.as_millis();
        assert!((most / 2..=most + 1).contains(&open), "{open} of {most}");
    }
    server.breaker.ended(&Ok(()));
    sleep(Duration::from_secs(2)).await;
    server.open();
    let open = server.until(BreakerState::Closed).await;
    assert!(
        open <= Duration::from_millis(101),
        "{open:?} after a quiet time"
    );
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_answered_late_closes_it_too() {
    let server = probed();
    server.open();
    server.breaker.ended(&Ok(()));
    assert_eq!(server.state(), BreakerState::Closed);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(server.probes(), 0);
    assert!(!server.watch.is_finished());
}

#[tokio::test(start_paused = true)]
async fn the_connection_is_given_up_when_probes_stay_unanswered() {
    let server = probed();
    server.open();
    let started = Instant::now();
    server.watch.await.unwrap();
    let took = started.elapsed();
    // At most one wait and one probe later.
    assert!(
        took >= PATIENCE && took <= PATIENCE + 2 * Duration::from_secs(1) + DEADLINE,
        "{took:?}"
    );
    assert_eq!(server.breaker.state(), BreakerState::Open);
}
