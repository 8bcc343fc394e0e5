use std::future::poll_fn;
use std::mem::take;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll};

use shuttle::future::{block_on, spawn, yield_now};
use shuttle::thread;

use super::*;
use crate::util::sync::explore::{Sometimes, explore};
use crate::util::sync::fake::Source;

static ALONE: Sometimes = Sometimes::new("a read is alone");
static TOGETHER: Sometimes = Sometimes::new("a command reads several keys");
static FULL: Sometimes = Sometimes::new("a batch is sent before all who are ready have joined");
static AGAIN: Sometimes = Sometimes::new("a read starts over");
static REPLACED: Sometimes = Sometimes::new("a connection takes the place of another");

/// A server whose keys hold their own names and what stands in the source.
#[derive(Default)]
struct Scene {
    batches: Batches,
    source: Source,
    refuses: AtomicBool,
}

impl Scene {
    /// A read that starts now gets its own keys' answers, and none that was read before it came. What is read
    /// at once is of one time.
    async fn read(self: Arc<Self>, keys: &'static [&'static str]) {
        let floor = self.source.floor();
        let mut answers = Vec::new();
        while keys.len() == 1 || !self.batches.refuses() {
            let join =
                |context: &mut Context<'_>| Poll::Ready(self.batches.join(keys, context.waker()));
            let Some(mut join) = poll_fn(join).await else {
                answers = self.serve(keys.iter().copied());
                break;
            };
            let mut got = |answer| answers.push(answer);
            match poll_fn(|context| join.poll(context, &mut got)).await {
                Some(answer) => {
                    answer.unwrap();
                    break;
                }
                None => AGAIN.seen(),
            }
        }
        let versions = answers.iter().flatten().zip(keys);
        let versions: Vec<_> = versions.map(|(answer, key)| version(answer, key)).collect();
        let first = versions.first().copied().unwrap_or(u64::MAX);
        assert!(first >= floor, "read at {first}, before {floor}");
        assert!(versions.iter().all(|version| *version == first));
    }

    /// A connection, until it ends or another has taken its place.
    async fn connect(self: Arc<Self>, number: u64) {
        let mut gathered = false;
        loop {
            let has_gathered = take(&mut gathered);
            let next = |context: &mut Context<'_>| match self.batches.next(
                number,
                has_gathered,
                context.waker(),
            ) {
                Next::Wait if self.batches.state.lock().current == number => Poll::Pending,
                next => Poll::Ready(next),
            };
            match poll_fn(next).await {
                Next::Send(closed) => {
                    if !has_gathered && closed.keys.readers() > 1 {
                        FULL.seen();
                    }
                    self.answer(closed).await;
                }
                Next::Gather => {
                    gathered = true;
                    yield_now().await;
                }
                Next::Wait => return,
            }
        }
    }

    /// Others go on between the closing, the writing and the answer.
    async fn answer(&self, closed: Closed) {
        yield_now().await;
        let mut command = Vec::new();
        closed.keys.write(&mut command);
        let command = String::from_utf8(command).unwrap();
        let keys = command.split("\r\n").skip(4).step_by(2);
        let mut answers = self.serve(keys);
        if answers.len() > 1 {
            TOGETHER.seen();
        }
        yield_now().await;
        let outcome = match closed.keys.are_one() {
            true => {
                ALONE.seen();
                Outcome::Answered
            }
            false if self.refuses.load(SeqCst) => {
                answers.clear();
                Outcome::Refused
            }
            false => Outcome::Answered,
        };
        self.batches.land(closed, outcome, &mut answers);
    }

    fn serve<'a>(&self, keys: impl Iterator<Item = &'a str>) -> Vec<Option<Bytes>> {
        let version = self.source.load().to_be_bytes();
        let entry = |key: &str| Some([&version, key.as_bytes()].concat().into());
        keys.map(entry).collect()
    }

    fn write(&self) {
        let version = self.source.commit();
        self.source.returned(version);
    }

    /// The number of a new connection.
    fn begin(self: &Arc<Self>) -> u64 {
        let number = self.batches.number();
        self.batches.start(number);
        spawn(Arc::clone(self).connect(number));
        number
    }
}

/// That of an answer, which is to `key`.
fn version(answer: &[u8], key: &str) -> u64 {
    let (version, name) = answer.split_at(8);
    assert_eq!(name, key.as_bytes(), "the answer to another key");
    u64::from_be_bytes(version.try_into().unwrap())
}

/// Reads while somebody writes and reads, too, and `disturb` is done; that gives the connection at the end.
fn read_all(
    scene: &Arc<Scene>,
    reads: &[&'static [&'static str]],
    disturb: impl FnOnce(u64) -> u64,
) {
    let first = scene.begin();
    let readers: Vec<_> = reads
        .iter()
        .map(|keys| spawn(Arc::clone(scene).read(keys)))
        .collect();
    let writing = Arc::clone(scene);
    let writer = thread::spawn(move || {
        writing.write();
        block_on(Arc::clone(&writing).read(&["a"]));
    });
    let last = disturb(first);
    readers
        .into_iter()
        .for_each(|reader| block_on(reader).unwrap());
    writer.join().unwrap();
    assert_eq!(scene.batches.state.lock().waiting, 0);
    scene.batches.end(last);
}

#[test]
fn each_reader_gets_its_own_key_as_it_was_read_after_it_came() {
    explore(&[&ALONE, &FULL, &TOGETHER], || {
        let scene = Arc::<Scene>::default();
        read_all(
            &scene,
            &[&["a"], &["b", "t"], &["a"], &["c", "t"], &["d"], &["e"]],
            |first| first,
        );
        // What was used once is used again.
        read_all(&scene, &[&["b"], &["a"], &["c"], &["d"]], |first| first);
    });
}

#[test]
fn readers_of_a_batch_that_is_given_up_go_on() {
    explore(&[&AGAIN], || {
        let scene = Arc::<Scene>::default();
        scene.refuses.store(true, SeqCst);
        read_all(&scene, &[&["a"], &["b"], &["a", "t"]], |first| first);
    });
}

#[test]
fn readers_go_on_when_their_connection_ends() {
    explore(&[&AGAIN], || {
        let scene = Arc::<Scene>::default();
        read_all(&scene, &[&["a"], &["b"], &["a"], &["c"], &["d"]], |first| {
            scene.batches.end(first);
            first
        });
    });
}

#[test]
fn readers_go_on_with_the_connection_that_takes_the_place_of_another() {
    explore(&[&REPLACED], || {
        let scene = Arc::<Scene>::default();
        read_all(&scene, &[&["a"], &["b"], &["a"], &["c"], &["d"]], |_| {
            REPLACED.seen();
            scene.begin()
        });
    });
}
