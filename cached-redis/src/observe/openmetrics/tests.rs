use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::observe::stats::{COUNTS, Count, Counters, FunctionStats};

fn stats(namespace: &str, functions: Vec<FunctionStats>) -> Stats {
    Stats {
        namespace: namespace.to_owned(),
        functions,
        ..Stats::default()
    }
}

fn counters() -> Counters {
    let counters = Counters::default();
    counters.load_times.record(3_000);
    counters
}

/// What stands before the space at the end of each line that is no comment, and its number.
fn series(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs: Vec<_> = lines
        .map(|line| line.rsplit_once(' ').expect("a value"))
        .collect();
    let number = |text: &str| text.parse().expect("a number");
    let series: BTreeMap<_, _> = pairs
        .iter()
        .map(|(name, value)| (*name, number(value)))
        .collect();
    assert_eq!(series.len(), pairs.len(), "a series is there twice");
    series
}

#[test]
fn every_counter_of_a_function_is_told() {
    let counters = counters();
    // Greater ones for what others are taken away from.
    let order = |count: usize| 1_000_000 * (COUNTS - count) as u64 + 1;
    for count in 0..COUNTS {
        counters.add(Count::ALL[count], order(count));
    }
    let row = counters.snapshot("shop::get_user");
    let text = stats("shop", vec![row]).to_openmetrics();
    let told: BTreeSet<_> = series(&text)
        .into_values()
        .map(|value| value as u64)
        .collect();
    for count in Count::ALL {
        let value = order(*count as usize);
        let expected = match count {
            Count::Loads => value - row.load_errors,
            Count::Audits => value - row.stale_audits,
            // The sum of its histogram.
            Count::LoadMicros => continue,
            _ => value,
        };
        assert!(told.contains(&expected), "{expected} is not in {text}");
    }
}

#[test]
fn all_series_are_there_from_the_start() {
    let names = |text: &str| {
        series(text)
            .into_keys()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let idle = stats("shop", vec![Counters::default().snapshot("shop::get_user")]);
    let busy = stats("shop", vec![counters().snapshot("shop::get_user")]);
    assert_eq!(names(&idle.to_openmetrics()), names(&busy.to_openmetrics()));
}

#[test]
fn a_histogram_is_told_bucket_by_bucket() {
    let text = stats("shop", vec![counters().snapshot("f")]).to_openmetrics();
    let load = |rest: &str| format!("cached_redis_load_seconds_{rest}");
    let series = series(&text);
    let value = |name: String| series[name.as_str()];
    let labels = "namespace=\"shop\",function=\"f\"";
    assert_eq!(
        value(load(&format!("bucket{{{labels},le=\"0.0025\"}}"))),
        0.0
    );
    assert_eq!(
        value(load(&format!("bucket{{{labels},le=\"0.005\"}}"))),
        1.0
    );
    assert_eq!(value(load(&format!("bucket{{{labels},le=\"1.0\"}}"))), 1.0);
    assert_eq!(value(load(&format!("bucket{{{labels},le=\"+Inf\"}}"))), 1.0);
    assert_eq!(value(load(&format!("count{{{labels}}}"))), 1.0);
    assert_eq!(value(load(&format!("sum{{{labels}}}"))), 0.003);
    assert!(text.contains(
        "# TYPE cached_redis_load_seconds histogram\n# UNIT cached_redis_load_seconds seconds\n"
    ));
}

#[test]
fn functions_of_one_name_are_one_series() {
    let one = FunctionStats {
        function: "shop::get",
        hits: 3,
        ..FunctionStats::default()
    };
    let text = stats("shop", vec![one, one]).to_openmetrics();
    let name = "cached_redis_reads_total{namespace=\"shop\",function=\"shop::get\",result=\"hit\"}";
    assert_eq!(series(&text)[name], 6.0);
}

#[test]
fn values_of_labels_cannot_end_early() {
    let odd = stats("a\"b\\c\nd", Vec::new()).to_openmetrics();
    assert!(
        odd.contains(r#"cached_redis_store_up{namespace="a\"b\\c\nd"} 0"#),
        "{odd}"
    );
}

#[test]
fn caches_of_two_namespaces_are_one_page_and_those_of_one_are_refused() {
    let [shop, blog] = ["shop", "blog"].map(|name| stats(name, Vec::new()));
    let both = openmetrics([&shop, &blog]).unwrap();
    assert_eq!(both.matches("# EOF").count(), 1);
    assert_eq!(
        both.matches("# TYPE cached_redis_store_up gauge").count(),
        1
    );
    assert_eq!(both.matches("\ncached_redis_store_up{").count(), 2);
    let clash = openmetrics([&shop, &blog, &shop]).unwrap_err();
    assert!(clash.to_string().contains("`shop`"), "{clash}");
}
