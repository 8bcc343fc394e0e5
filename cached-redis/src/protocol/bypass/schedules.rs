use std::sync::atomic::Ordering::SeqCst;

use std::time::Duration;

use shuttle::future::{block_on, spawn};
use shuttle::thread;

use super::*;
use crate::util::sync::AtomicUsize;
use crate::util::sync::explore::{Sometimes, explore};
use crate::util::sync::fake::{Source, decoded, encoded};

const KEY: &str = "k";
const BUDGET: Duration = Duration::from_secs(600);

static SHARED: Sometimes = Sometimes::new("a load is shared");
static AT_ONCE: Sometimes = Sometimes::new("a load begins at once");
static QUEUED: Sometimes = Sometimes::new("a load waits while another one runs");

#[derive(Default)]
struct Scene {
    bypasses: Arc<Bypasses>,
    source: Source,
    running: AtomicUsize,
}

impl Scene {
    async fn read(self: Arc<Self>) {
        let floor = self.source.floor();
        let came = Instant::now();
        let got = loop {
            match self.bypasses.enter(KEY, came, Instant::now(), BUDGET) {
                Place::Lead(load) => break self.lead(load).await,
                Place::Seat(seat) => {
                    if let Landing::Shared(entry) = seat.landing().await {
                        SHARED.seen();
                        break decoded(&entry);
                    }
                }
            }
        };
        assert!(got >= floor, "got {got}, loaded before {floor} was written");
    }

    async fn lead(&self, load: BypassLoad) -> u64 {
        if self.running.load(SeqCst) > 0 {
            QUEUED.seen();
        }
        start(&load).await;
        let others = self.running.fetch_add(1, SeqCst);
        assert_eq!(others, 0, "loads run one at a time");
        let value = self.source.load();
        self.running.fetch_sub(1, SeqCst);
        load.land(Landing::Shared(encoded(value)));
        value
    }

    /// A leader whose caller goes away, before its load or during it.
    async fn give_up(self: Arc<Self>, starts: bool) {
        if let Place::Lead(load) = self
            .bypasses
            .enter(KEY, Instant::now(), Instant::now(), BUDGET)
            && starts
        {
            start(&load).await;
        }
    }

    fn write(&self) {
        let version = self.source.commit();
        self.source.returned(version);
    }
}

/// The load begins, of whose budget nothing is spent: shuttle knows no clock.
async fn start(load: &BypassLoad) {
    if load.has_begun {
        return AT_ONCE.seen();
    }
    load.turn().await;
    yield_now().await;
    load.begin();
}

#[test]
fn a_newcomer_shares_only_a_load_that_starts_after_it_came() {
    explore(&[&SHARED, &QUEUED, &AT_ONCE], || {
        let scene = Arc::<Scene>::default();
        let readers: Vec<_> = (0..3).map(|_| spawn(Arc::clone(&scene).read())).collect();
        let writing = Arc::clone(&scene);
        let writer = thread::spawn(move || {
            writing.write();
            block_on(Arc::clone(&writing).read());
        });
        readers
            .into_iter()
            .for_each(|reader| block_on(reader).unwrap());
        writer.join().unwrap();
        assert!(scene.bypasses.keys.lock().is_empty());
    });
}

#[test]
fn those_who_wait_for_a_dropped_load_go_on() {
    explore(&[], || {
        let scene = Arc::<Scene>::default();
        let mut tasks: Vec<_> = [false, true]
            .into_iter()
            .map(|starts| spawn(Arc::clone(&scene).give_up(starts)))
            .collect();
        tasks.extend((0..2).map(|_| spawn(Arc::clone(&scene).read())));
        tasks.into_iter().for_each(|task| block_on(task).unwrap());
        assert!(scene.bypasses.keys.lock().is_empty());
    });
}
