//! The numbers for the recorder of the `metrics` facade, whichever of recorder and cache comes first.

use std::time::{Duration, Instant};

use cached_redis::{Cache, redis_cached};
use metrics_exporter_prometheus::PrometheusBuilder;

#[redis_cached(ttl = 60, key = "facade:<id>")]
async fn read(id: u64) -> u64 {
    id
}

/// Looks again and again until it is so.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < until, "still waiting for: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn filled(cache: &Cache, fills: u64) {
    eventually("the fills", || cache.stats().total().fills >= fills).await;
}

async fn cache(namespace: &str) -> Cache {
    let builder = Cache::builder().url("memory://").namespace(namespace);
    builder.build().await.unwrap()
}

const HITS: &str = concat!(
    "cached_redis_reads_total{namespace=\"facade\",function=\"",
    module_path!(),
    "::read\",result=\"hit\"}"
);

/// The recorder of the process is installed in this test alone.
#[tokio::test]
async fn a_recorder_that_comes_after_the_cache_is_given_all_of_it() {
    let cache = cache("facade").await;
    let every = Duration::from_millis(20);
    let reporting = cache.report_metrics(every).unwrap();
    cache.scope(read(1)).await;
    filled(&cache, 1).await;
    cache.scope(read(1)).await;
    let handle = PrometheusBuilder::new().install_recorder().unwrap();
    let told = async |line: &str| eventually(line, || handle.render().contains(line)).await;
    told(&format!("{HITS} 1\n")).await;
    cache.scope(read(1)).await;
    told(&format!("{HITS} 2\n")).await;
    told("cached_redis_store_keys{namespace=\"facade\"} 1\n").await;
    // What is told by text is told by the recorder, under the same names.
    let text = cache.stats().to_openmetrics();
    let names = text.lines().filter(|line| !line.starts_with('#'));
    let rendered = handle.render();
    for line in names.map(|line| line.rsplit_once(' ').unwrap().0) {
        assert!(rendered.contains(line), "{line}");
    }
    let clash = cache.clone().report_metrics(every).unwrap_err().to_string();
    assert!(
        clash.contains("`facade`") && clash.contains("one of its own"),
        "{clash}"
    );
    drop(reporting);
    drop(cache.report_metrics(every).unwrap());
    let zero = cache
        .report_metrics(Duration::ZERO)
        .unwrap_err()
        .to_string();
    assert_eq!(zero, "setting `every` must not be zero");
}

#[tokio::test]
async fn reports_end_with_their_cache() {
    let cache = cache("ending").await;
    let weak = cache.report_metrics(Duration::from_millis(5)).unwrap();
    drop(cache);
    let again = async || {
        let next = self::cache("ending").await;
        // The guard is still there, so the name is still taken.
        next.report_metrics(Duration::from_secs(5)).is_err()
    };
    assert!(again().await);
    drop(weak);
    assert!(!again().await);
}
