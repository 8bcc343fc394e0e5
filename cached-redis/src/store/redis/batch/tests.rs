use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::super::packed::{Form as _, Packed};
use super::crowd::{Crowd, FEW, MANY, Pace};
use super::keys::MOST;
use super::state::MOST_BYTES;
use super::{Batches, Closed, Join, Next, Outcome};
use crate::error::StoreError;
use crate::store::Answer;
use crate::store::Store as _;
use crate::store::redis::server::{Server, store};
use crate::store::redis::{RedisSettings, RedisStore};

fn unlink() -> Packed {
    Packed::of(1, 6).with(b"UNLINK")
}

/// Keys that hold their own names.
async fn planted(store: &RedisStore, count: usize) -> Vec<String> {
    let keys: Vec<_> = (0..count).map(|n| format!("app:{n}")).collect();
    for key in &keys {
        let name = Bytes::from(key.clone());
        let planted = store.acquire(key, name, Duration::from_secs(60)).await;
        assert_eq!(planted, Ok(None));
    }
    keys
}

/// All at the same time, and each must get its own key's answer.
async fn read_all(store: &Arc<RedisStore>, keys: impl IntoIterator<Item = String>) {
    let mut reads = JoinSet::new();
    for key in keys {
        let store = Arc::clone(store);
        reads.spawn(async move { (store.get(&key).await, key) });
    }
    for (answer, key) in reads.join_all().await {
        let expected = (!key.contains("missing")).then(|| Bytes::from(key));
        assert_eq!(answer, Ok(expected));
    }
}

/// On this store of `server`, while others write.
async fn each_read_gets_the_answer_to_its_own_key(server: &Server, url: &str) {
    let store = store(url, settings()).await;
    let store = Arc::new(store);
    let keys = planted(&store, 200).await;
    for _ in 0..5 {
        let reads = (0..600).map(|n| match n % 3 {
            0 => format!("app:missing {n}"),
            _ => keys[n % keys.len()].clone(),
        });
        let writes = (0..20).map(|n| [format!("app:written {n}")]);
        let write = async {
            for keys in writes {
                assert_eq!(store.invalidate(&keys).await, Ok(()));
            }
        };
        tokio::join!(read_all(&store, reads), write);
    }
    let commands = server.command(&[b"INFO", b"commandstats"]);
    assert!(commands.contains("cmdstat_mget"), "{commands}");
}

fn settings() -> RedisSettings {
    RedisSettings {
        deadline: Duration::from_secs(20),
        ..RedisSettings::default()
    }
}

#[tokio::test]
async fn each_of_many_reads_gets_the_answer_to_its_own_key() {
    let server = Server::start();
    each_read_gets_the_answer_to_its_own_key(&server, &server.url()).await;
}

#[tokio::test]
async fn so_it_does_over_a_socket_with_a_login_and_in_another_database() {
    let server = Server::start();
    let login: [&[u8]; 7] = [b"ACL", b"SETUSER", b"ann", b"on", b">pw", b"~*", b"+@all"];
    server.command(&login);
    let url = format!("redis+unix://{}?db=3&user=ann&pass=pw", server.socket());
    each_read_gets_the_answer_to_its_own_key(&server, &url).await;
    let url = server.url().replace("//", "//ann:pw@") + "/2";
    each_read_gets_the_answer_to_its_own_key(&server, &url).await;
}

#[tokio::test]
async fn so_it_does_in_the_old_protocol() {
    let server = Server::start_with(&["--rename-command", "HELLO", ""]);
    each_read_gets_the_answer_to_its_own_key(&server, &server.url()).await;
}

#[tokio::test]
async fn readers_of_a_batch_do_not_depend_on_the_one_who_opened_it() {
    let server = Server::start();
    let store = server.store().await;
    let keys = planted(&store, 3).await;
    let mut context = Context::from_waker(Waker::noop());
    // The first is sent alone, the second opens a batch, the third joins it.
    let mut alone = pin!(store.get(&keys[0]));
    assert!(alone.as_mut().poll(&mut context).is_pending());
    let mut opener = Box::pin(store.get(&keys[1]));
    assert!(opener.as_mut().poll(&mut context).is_pending());
    let mut joined = pin!(store.get(&keys[2]));
    assert!(joined.as_mut().poll(&mut context).is_pending());
    assert_eq!(joined.await, Ok(Some(Bytes::from("app:2"))));
    drop(opener);
    assert_eq!(alone.await, Ok(Some(Bytes::from("app:0"))));
}

#[tokio::test]
async fn who_asks_for_a_key_twice_has_two_answers() {
    let server = Server::start();
    let store = store(&server.url(), settings()).await;
    let keys = planted(&store, 2).await;
    let asked: Vec<_> = [0, 1, 0, 1].map(|at| keys[at].as_str()).into();
    let answers = store.get_all(&asked).await.unwrap();
    let expected = asked.iter().map(|key| Some(Bytes::from((*key).to_owned())));
    assert_eq!(answers, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn without_the_right_to_read_together_each_reads_alone() {
    let server = Server::start();
    server.command(&[b"ACL", b"SETUSER", b"default", b"-mget"]);
    let store = Arc::new(server.store().await);
    let keys = planted(&store, 50).await;
    for _ in 0..2 {
        read_all(&store, keys.iter().cloned()).await;
    }
}

/// How many of those who come join a batch before it is sent, if so many were about lately.
fn joined_of(crowd: usize) -> usize {
    joined_after(0, crowd)
}

/// The same where all batches were answered at once.
fn joined_at_once(crowd: usize) -> usize {
    joined_after(1000, crowd)
}

fn joined_after(times_at_once: usize, crowd: usize) -> usize {
    let batches = Batches::default();
    batches.start(batches.number());
    (0..times_at_once).for_each(|_| batches.paced(false));
    batches.state.lock().crowd.seen(crowd);
    joined(&batches)
}

fn joined(batches: &Batches) -> usize {
    let join = |n: &usize| drop(batches.join(&[&format!("app:{n}")], Waker::noop()));
    let is_open = || !batches.state.lock().open.is_empty();
    (1..).inspect(join).find(|_| !is_open()).unwrap()
}

#[test]
fn a_batch_waits_for_half_where_batches_are_answered_at_once() {
    assert_eq!([2, 8, 12].map(joined_at_once), [FEW; 3]);
    assert_eq!([16, 24, 64].map(joined_at_once), [MANY, 12, 32]);
}

#[test]
fn whether_batches_are_answered_at_once_is_what_most_of_them_say() {
    let seen = |times: usize, left: &dyn Fn(usize) -> bool| {
        let mut pace = Pace::default();
        (0..times).for_each(|n| pace.seen(left(n)));
        pace.is_at_once()
    };
    assert!(!seen(0, &|_| false));
    assert!(!seen(50, &|_| false), "too few of them");
    assert!(seen(1000, &|_| false));
    assert!(seen(1000, &|n| n % 4 == 0));
    assert!(!seen(1000, &|n| n % 2 == 0));
    assert!(!seen(1 << 14, &|_| false), "it is looked at anew");
}

#[test]
fn a_batch_waits_for_somewhat_less_than_half_of_those_about() {
    assert_eq!([2, 8, 16].map(joined_of), [FEW; 3]);
    assert_eq!([24, 64].map(joined_of), [12 - FEW, 32 - FEW]);
    assert_eq!(joined_of(1000), MOST);
}

/// How many join where an answer had so many bytes lately.
fn joined_for(bytes: usize) -> usize {
    let batches = Batches::default();
    batches.start(batches.number());
    let mut state = batches.state.lock();
    state.crowd.seen(1000);
    let answers = [Some(vec![0; bytes].into())];
    (0..60).for_each(|_| state.size.seen(&answers));
    drop(state);
    joined(&batches)
}

#[test]
fn large_answers_are_collected_up_to_so_many_bytes() {
    assert_eq!([1, 100, 1000].map(joined_for), [MOST; 3]);
    assert_eq!([4, 16, 32].map(|kib| joined_for(kib * 1024)), [16, 4, 2]);
}

/// Whether the next read is sent alone, and answered by so many bytes.
fn is_alone(batches: &Batches, number: u64, bytes: usize) -> bool {
    drop(batches.join(&["k"], Waker::noop()));
    let Next::Send(closed) = batches.next(number, true, Waker::noop()) else {
        panic!("there is one to be sent");
    };
    let is_alone = closed.keys.are_one();
    let mut answers = vec![Some(vec![0; bytes].into())];
    batches.land(closed, Outcome::Answered, &mut answers);
    is_alone
}

#[test]
fn answers_that_are_large_by_themselves_are_read_alone_until_they_are_small_again() {
    let batches = Batches::default();
    let number = batches.number();
    batches.start(number);
    batches.state.lock().crowd.seen(64);
    assert!(!is_alone(&batches, number, 10 * MOST_BYTES));
    let large = (0..)
        .take_while(|_| is_alone(&batches, number, 100))
        .count();
    assert!((1..20).contains(&large), "{large}");
}

type Told = Arc<Mutex<Vec<Answer<()>>>>;

fn told() -> (Batches, Told) {
    let (batches, told) = (Batches::default(), Told::default());
    let judge = Arc::clone(&told);
    batches.judged_by(move |outcome| judge.lock().unwrap().push(outcome.clone()));
    (batches, told)
}

/// What was judged of a batch that was sent, of which one reader is left to `end`.
fn judged(end: impl FnOnce(&Batches, Join, Closed)) -> Vec<Answer<()>> {
    let (batches, judged) = told();
    let number = batches.number();
    batches.start(number);
    let join = batches.join(&["k"], Waker::noop()).unwrap();
    let Next::Send(closed) = batches.next(number, true, Waker::noop()) else {
        panic!("there is one to be sent");
    };
    end(&batches, join, closed);
    assert_eq!(batches.state.lock().waiting, 0);
    judged.lock().unwrap().clone()
}

fn land(batches: &Batches, closed: Closed, outcome: Outcome) {
    batches.land(closed, outcome, &mut vec![None]);
}

const LIFE: u32 = 9;

#[test]
fn a_batch_that_is_not_answered_counts_as_one_failure_whoever_waits() {
    let late = [Err(StoreError::Timeout)];
    let abandoned = |batches: &Batches, join, _closed| {
        drop(join);
        (0..3 * LIFE).for_each(|_| _ = batches.tick(LIFE, LIFE));
    };
    assert_eq!(judged(abandoned), late);
    let told_twice = |batches: &Batches, join: Join, _closed| {
        batches.late(&join);
        batches.late(&join);
        drop(join);
        batches.tick(LIFE, LIFE);
    };
    assert_eq!(judged(told_twice), late);
    let answered_too_late = |batches: &Batches, join: Join, closed| {
        batches.late(&join);
        drop(join);
        land(batches, closed, Outcome::Answered);
    };
    assert_eq!(judged(answered_too_late), late);
    let lost = |batches: &Batches, join: Join, closed| {
        batches.late(&join);
        land(batches, closed, Outcome::Failed(StoreError::Lost));
        drop(join);
    };
    assert_eq!(judged(lost), late);
}

#[test]
fn a_batch_that_is_late_for_one_reader_is_answered_for_those_who_still_wait() {
    let answered = |batches: &Batches, join: Join, closed| {
        batches.late(&join);
        land(batches, closed, Outcome::Answered);
        drop(join);
    };
    assert_eq!(judged(answered), [Err(StoreError::Timeout), Ok(())]);
}

#[test]
fn a_batch_does_not_grow_old_while_somebody_waits_for_it() {
    // It may be that he had no chance to look.
    let starved = |batches: &Batches, join: Join, closed| {
        (0..3 * LIFE).for_each(|_| _ = batches.tick(LIFE, LIFE));
        drop(join);
        (1..LIFE).for_each(|_| _ = batches.tick(LIFE, LIFE));
        land(batches, closed, Outcome::Answered);
    };
    assert_eq!(judged(starved), [Ok(())]);
}

#[test]
fn a_batch_that_nobody_sends_is_joined_for_no_longer_than_a_tick() {
    let (batches, judged) = told();
    batches.start(batches.number());
    batches.state.lock().crowd.seen(1000);
    let join = || batches.join(&["k"], Waker::noop()).unwrap();
    // Somebody waits at any time, and nobody for long.
    let mut last = join();
    for _ in 0..2 * LIFE {
        batches.tick(LIFE, LIFE);
        last = join();
    }
    let late = Err(StoreError::Timeout);
    assert!(judged.lock().unwrap().len() > 2);
    assert!(judged.lock().unwrap().iter().all(|told| *told == late));
    drop(last);
}

#[test]
fn an_answer_counts_although_nobody_waits_for_it_any_more() {
    let left = |batches: &Batches, join, closed| {
        drop(join);
        (1..LIFE).for_each(|_| _ = batches.tick(LIFE, LIFE));
        land(batches, closed, Outcome::Failed(StoreError::WrongType));
    };
    assert_eq!(judged(left), [Err(StoreError::WrongType)]);
}

#[test]
fn an_answer_is_kept_for_none_but_those_who_wait_for_it() {
    for waits in [false, true] {
        let answer = Bytes::from(vec![7; 2000]);
        let landed = answer.clone();
        judged(|batches, join, closed| {
            let mut join = waits.then_some(join);
            batches.land(closed, Outcome::Answered, &mut vec![Some(landed)]);
            if let Some(join) = &mut join {
                let ended = join.poll(&Context::from_waker(Waker::noop()), drop);
                assert!(matches!(ended, Poll::Ready(Some(Ok(())))));
            }
            assert!(answer.is_unique(), "{waits}");
        });
    }
}

/// What is told of a removal, by whose caller patience is asked for or not.
struct Heard(Mutex<Vec<Answer<i64>>>, bool);

impl crate::store::Told for Heard {
    fn told(&self, answer: Answer<i64>) {
        self.0.lock().unwrap().push(answer);
    }

    fn is_patient(&self) -> bool {
        self.1
    }
}

/// What is told of one that was sent, and for which nobody waits.
fn heard(end: impl FnOnce(&Batches, u64)) -> Vec<Answer<i64>> {
    heard_of(true, end)
}

fn heard_of(is_patient: bool, end: impl FnOnce(&Batches, u64)) -> Vec<Answer<i64>> {
    let heard = Arc::new(Heard(Mutex::default(), is_patient));
    let batches = Batches::default();
    let number = batches.number();
    batches.start(number);
    let told = Arc::clone(&heard) as _;
    drop(batches.tell(&unlink(), told).unwrap());
    end(&batches, number);
    assert_eq!(batches.state.lock().calls, 0);
    heard.0.lock().unwrap().clone()
}

fn next(batches: &Batches, number: u64) -> Closed {
    match batches.next(number, true, Waker::noop()) {
        Next::Send(closed) => closed,
        _ => panic!("there is one to be sent"),
    }
}

#[test]
fn whoever_does_not_wait_is_told_once_however_a_command_ends() {
    let answered = |batches: &Batches, number| {
        let closed = next(batches, number);
        let mut answers = vec![Some(Bytes::from("1"))];
        batches.land(closed, Outcome::Answered, &mut answers);
        batches.end(number);
    };
    assert_eq!(heard(answered), [Ok(1)]);
    let odd = |batches: &Batches, number| {
        land(batches, next(batches, number), Outcome::Answered);
    };
    assert_eq!(heard(odd), [Err(StoreError::Answer)]);
    let unsent = |batches: &Batches, number| batches.end(number);
    assert_eq!(heard(unsent), [Err(StoreError::Unavailable)]);
    let late = |batches: &Batches, number| {
        let closed = next(batches, number);
        // It goes on though nobody leaves a mark.
        assert!((0..LIFE).all(|_| batches.tick(1, LIFE)));
        assert!(!batches.tick(1, LIFE));
        land(batches, closed, Outcome::Answered);
    };
    assert_eq!(heard(late), [Err(StoreError::Timeout)]);
    let unsent = |batches: &Batches, _| (0..LIFE).for_each(|_| _ = batches.tick(1, LIFE));
    assert_eq!(heard(unsent), [Err(StoreError::Timeout)]);
    let impatient = |batches: &Batches, number| {
        let closed = next(batches, number);
        // As long as a reader waits.
        batches.tick(1, LIFE);
        land(batches, closed, Outcome::Answered);
    };
    assert_eq!(heard_of(false, impatient), [Err(StoreError::Timeout)]);
}

#[test]
fn commands_of_many_are_written_at_once_and_do_not_change_how_reads_are_made() {
    let batches = Batches::default();
    let number = batches.number();
    batches.start(number);
    let call = || batches.call(&unlink(), Waker::noop()).unwrap();
    let first = (call(), call(), call());
    land(&batches, next(&batches, number), Outcome::Answered);
    let _read = batches.join(&["k"], Waker::noop()).unwrap();
    let is_read = |closed: &Closed| closed.keys.are_one();
    let all: Vec<_> = std::iter::repeat_with(|| next(&batches, number))
        .take(3)
        .collect();
    assert_eq!(all.iter().filter(|closed| is_read(closed)).count(), 1);
    all.into_iter()
        .for_each(|closed| land(&batches, closed, Outcome::Answered));
    drop(first);
}

#[test]
fn nobody_joins_a_batch_for_which_somebody_has_waited_too_long() {
    let batches = Batches::default();
    batches.start(batches.number());
    batches.state.lock().crowd.seen(64);
    let join = || batches.join(&["k"], Waker::noop()).unwrap();
    let (mut first, late) = (join(), join());
    batches.late(&late);
    assert_eq!(batches.state.lock().waiting, 0);
    let context = Context::from_waker(Waker::noop());
    let ended = first.poll(&context, |_| panic!("it was not sent"));
    assert!(matches!(ended, Poll::Ready(None)), "it starts over");
    let again = join();
    assert!(!Arc::ptr_eq(again.batch(), late.batch()));
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn no_other_connection_takes_the_place_of_the_one_that_is_started() {
    let (batches, woken) = (Batches::default(), Arc::<Woken>::default());
    let waker = Waker::from(Arc::clone(&woken));
    let [old, current, later] = [(); 3].map(|()| batches.number());
    let wait = |number, waker| assert!(matches!(batches.next(number, false, waker), Next::Wait));
    wait(current, &waker);
    wait(old, Waker::noop());
    batches.start(current);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1, "it is started");
    wait(current, &waker);
    wait(later, Waker::noop());
    wait(old, Waker::noop());
    batches.end(old);
    let _join = batches.join(&["k"], Waker::noop()).unwrap();
    let is_woken = woken.0.load(Ordering::Relaxed) == 2;
    assert!(is_woken, "it has something to send");
    wait(later, Waker::noop());
    let next = batches.next(current, true, Waker::noop());
    assert!(matches!(next, Next::Send(_)));
}

#[test]
fn a_connection_that_gathers_is_woken_for_what_waits_for_nobody_else() {
    let full = |batches: &Batches| joined(batches) > 0;
    let closed = |batches: &Batches| {
        batches.tick(LIFE, LIFE);
        true
    };
    let wakes: [fn(&Batches) -> bool; 2] = [full, closed];
    for wakes in wakes {
        let (batches, woken) = (Batches::default(), Arc::<Woken>::default());
        let waker = Waker::from(Arc::clone(&woken));
        let number = batches.number();
        batches.start(number);
        batches.state.lock().crowd.seen(64);
        let _opens = batches.join(&["k"], Waker::noop());
        let next = batches.next(number, false, &waker);
        assert!(matches!(next, Next::Gather));
        let _joins = batches.join(&["l"], Waker::noop());
        assert_eq!(woken.0.load(Ordering::Relaxed), 0, "others may join");
        assert!(wakes(&batches));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_crowd_is_forgotten_bit_by_bit() {
    let mut crowd = Crowd::default();
    assert!(crowd.is_one());
    crowd.seen(64);
    assert_eq!(crowd.size(), 64);
    crowd.seen(1);
    assert_eq!(crowd.size(), 60);
    (0..60).for_each(|_| crowd.seen(1));
    assert!(crowd.is_one());
}
