use std::sync::atomic::Ordering::SeqCst;

use shuttle::future::{block_on, spawn, yield_now};
use shuttle::thread;

use super::*;
use crate::util::sync::explore::{Sometimes, explore};
use crate::util::sync::fake::Source;

static JOINED: Sometimes = Sometimes::new("a read joins a batch");
static FULL: Sometimes = Sometimes::new("a batch is full");
static TOGETHER: Sometimes = Sometimes::new("a command reads several keys");

/// A server whose keys hold their own names and what stands in the source.
#[derive(Default)]
struct Scene {
    batches: Batches,
    source: Source,
    refuses: AtomicBool,
}

impl Scene {
    /// A read that starts now gets its own key's answer, and none that was read before it came.
    async fn read(self: Arc<Self>, key: String) {
        let floor = self.source.floor();
        let answer = loop {
            let join = match self.batches.turn(&key) {
                Turn::Unbatched(_sent) => break self.serve(key.as_bytes()),
                Turn::Open(join) => {
                    spawn(Arc::clone(&self).collect(Arc::clone(&join.batch)));
                    join
                }
                Turn::Full(join, keys) => {
                    FULL.seen();
                    let batch = Arc::clone(&join.batch);
                    spawn(Arc::clone(&self).read_together(batch, keys));
                    join
                }
                Turn::Join(join) => {
                    JOINED.seen();
                    join
                }
            };
            if let Some(answer) = join.answer().await {
                break answer.unwrap().unwrap();
            }
        };
        check(&answer, &key, floor);
    }

    async fn collect(self: Arc<Self>, batch: Arc<Batch>) {
        yield_now().await;
        if let Some(keys) = self.batches.close(&batch) {
            self.read_together(batch, keys).await;
        }
    }

    async fn read_together(self: Arc<Self>, batch: Arc<Batch>, keys: Keys) {
        let _sent = self.batches.under_way(&keys);
        if self.refuses.load(SeqCst) {
            self.batches.refuse();
            return batch.land(None);
        }
        let keys = keys.command.args_iter().skip(1);
        let answers: Vec<_> = keys
            .map(|key| match key {
                Arg::Simple(key) => Some(self.serve(key)),
                _ => None,
            })
            .collect();
        if answers.len() > 1 {
            TOGETHER.seen();
        }
        batch.land(Some(Ok(answers)));
    }

    fn serve(&self, key: &[u8]) -> Bytes {
        let version = self.source.load().to_be_bytes();
        [version.as_slice(), key].concat().into()
    }

    fn write(&self) {
        let version = self.source.commit();
        self.source.returned(version);
    }
}

fn check(answer: &[u8], key: &str, floor: u64) {
    let (version, name) = answer.split_at(8);
    assert_eq!(name, key.as_bytes(), "the answer to another key");
    let version = u64::from_be_bytes(version.try_into().unwrap());
    assert!(version >= floor, "read at {version}, before {floor}");
}

fn read_all(scene: &Arc<Scene>, keys: &[&str]) {
    let readers: Vec<_> = keys
        .iter()
        .map(|key| spawn(Arc::clone(scene).read((*key).to_owned())))
        .collect();
    let writing = Arc::clone(scene);
    let writer = thread::spawn(move || {
        writing.write();
        block_on(Arc::clone(&writing).read("a".to_owned()));
    });
    readers
        .into_iter()
        .for_each(|reader| block_on(reader).unwrap());
    writer.join().unwrap();
    // A command is under way a moment longer than its answers need.
    while scene.batches.state.lock().waiting > 0 {
        thread::yield_now();
    }
}

#[test]
fn each_reader_gets_its_own_key_as_it_was_read_after_it_came() {
    explore(&[&JOINED, &FULL, &TOGETHER], || {
        let scene = Arc::<Scene>::default();
        read_all(&scene, &["a", "b", "a", "c", "d"]);
    });
}

#[test]
fn readers_of_a_batch_that_is_given_up_go_on() {
    explore(&[], || {
        let scene = Arc::<Scene>::default();
        scene.refuses.store(true, SeqCst);
        read_all(&scene, &["a", "b", "a"]);
    });
}

#[test]
fn readers_of_a_full_batch_and_of_the_next_one_get_their_answers() {
    explore(&[], || {
        let scene = Arc::<Scene>::default();
        let alone = scene.batches.turn("alone");
        let Turn::Open(first) = scene.batches.turn("first") else {
            unreachable!("another is under way");
        };
        let joins: Vec<_> = (2..FEW).map(|_| scene.batches.turn("first")).collect();
        assert!(joins.iter().all(|join| matches!(join, Turn::Join(_))));
        let Turn::Full(last, keys) = scene.batches.turn("last") else {
            unreachable!("so many are enough");
        };
        let collector = spawn(Arc::clone(&scene).collect(Arc::clone(&first.batch)));
        let full = spawn(Arc::clone(&scene).read_together(Arc::clone(&last.batch), keys));
        drop(alone);
        read_all(&scene, &["next", "first", "next"]);
        for (join, key) in [(first, "first"), (last, "last")] {
            let answer = block_on(join.answer()).unwrap().unwrap().unwrap();
            check(&answer, key, 0);
        }
        block_on(full).unwrap();
        block_on(collector).unwrap();
    });
}
