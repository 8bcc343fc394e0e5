//! Without Redis, the callers of one key in one process still make no stampede: one load runs,
//! and those who came meanwhile share the next.

use cached_redis::testing::{Recorded, Recorder};
use cached_redis::{Cache, redis_cached};

use crate::support::{RedisServer, Source, in_time};

const CALLERS: usize = 200;

#[redis_cached(ttl = 60, key = "one-load-without-redis:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "one-load-without-redis:failing:<id>", skip(source))]
async fn read_failing(source: &Source, id: u64) -> Result<u64, Gone> {
    source.try_load().await.ok_or(Gone)
}

#[derive(Debug, PartialEq)]
struct Gone;

async fn process(server: &RedisServer) -> (Cache, Recorder) {
    let recorder = Recorder::new();
    let builder = Cache::builder().url(server.url()).namespace("it");
    let cache = builder.recorder(recorder.clone()).build().await.unwrap();
    (cache, recorder)
}

/// Waits until all callers have found out that there is no cache.
async fn all_have_failed(recorder: &Recorder) {
    in_time(recorder.wait_for(Recorded::Failed, CALLERS)).await;
}

/// 200 callers, all of whom have found out that there is no cache; the first one is loading.
macro_rules! callers {
    ($function:ident, $cache:expr, $recorder:expr, $source:expr) => {{
        let call = || {
            let source: Source = $source.clone();
            $cache.spawn(async move { $function(&source, 1).await })
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| call()).collect();
        all_have_failed(&$recorder).await;
        $source.begun(1).await;
        callers
    }};
}

// On one thread a caller that found Redis away has queued before anybody else runs.
#[tokio::test]
async fn many_callers_make_at_most_two_loads_one_after_the_other() {
    let mut server = RedisServer::start();
    server.kill();
    let (cache, recorder) = process(&server).await;
    let source = Source::held();
    let callers = callers!(read, cache, recorder, source);
    source.release();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), 1);
    }
    assert!(source.loads() <= 2, "{} loads", source.loads());
    assert_eq!(source.most_at_once(), 1);
}

#[tokio::test]
async fn callers_who_come_while_a_load_runs_share_the_next_and_see_a_write_before_it() {
    let mut server = RedisServer::start();
    server.kill();
    let (cache, recorder) = process(&server).await;
    let source = Source::held();
    let first = cache.spawn({
        let source = source.clone();
        async move { read(&source, 1).await }
    });
    source.begun(1).await;
    source.write();
    let later: Vec<_> = (1..CALLERS)
        .map(|_| {
            let source = source.clone();
            cache.spawn(async move { read(&source, 1).await })
        })
        .collect();
    all_have_failed(&recorder).await;
    source.release();
    assert_eq!(in_time(first).await.unwrap(), 1);
    for caller in later {
        assert_eq!(
            in_time(caller).await.unwrap(),
            2,
            "the running load began before the write"
        );
    }
    assert_eq!((source.loads(), source.most_at_once()), (2, 1));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_no_stampede_either() {
    let server = RedisServer::start();
    let (cache, recorder) = process(&server).await;
    server.freeze();
    let source = Source::held();
    let callers = callers!(read, cache, recorder, source);
    source.release();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), 1);
    }
    assert!(source.loads() <= 2, "{} loads", source.loads());
    assert_eq!(source.most_at_once(), 1);
}

#[tokio::test]
async fn failing_loads_without_redis_run_one_at_a_time() {
    let mut server = RedisServer::start();
    server.kill();
    let (cache, recorder) = process(&server).await;
    let source = Source::held();
    source.fail(usize::MAX);
    let callers = callers!(read_failing, cache, recorder, source);
    source.release();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), Err(Gone));
    }
    assert_eq!(source.most_at_once(), 1);
}
