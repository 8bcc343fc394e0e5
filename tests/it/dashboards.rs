//! What is in `dashboards/` says the names that programs tell, and a real Prometheus answers its queries.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use cached_redis::stats::Stats;
use cached_redis::{Cache, redis_cached};
use serde_json::Value;

use crate::support::prometheus::{Prometheus, dashboards, promtool, serve};
use crate::support::{Failed, World, eventually, filled};

#[redis_cached(ttl = 60, key = "dashboards:<id>")]
async fn read(id: u64) -> Result<String, Failed> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    match id % 5 {
        0 => Err(Failed),
        _ => Ok("x".repeat(id as usize % 100)),
    }
}

fn file(name: &str) -> String {
    fs::read_to_string(dashboards().join(name)).expect("a file of `dashboards/`")
}

/// The names in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    words
        .filter(|word| word.starts_with("cached_redis_"))
        .collect()
}

#[test]
fn promtool_accepts_the_alerts_and_each_fires_where_it_should() {
    for words in [
        &["check", "rules", "alerts.yaml"],
        &["test", "rules", "alerts_test.yaml"],
    ] {
        let output = promtool(words);
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    let (rules, tests) = (file("alerts.yaml"), file("alerts_test.yaml"));
    let alerts: Vec<_> = rules
        .split("- alert: ")
        .skip(1)
        .filter_map(|it| it.lines().next())
        .collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        let fires = format!("alertname=\"{alert}\", alertstate=\"firing\"");
        assert!(tests.contains(&fires), "no test lets {alert} fire");
    }
}

#[test]
fn each_alert_leads_to_a_heading_of_the_page_about_symptoms() {
    let page = include_str!("../../cached-redis/src/docs/troubleshooting.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let headings: BTreeSet<_> = headings
        .map(|it| it.to_lowercase().replace(' ', "-"))
        .collect();
    let rules = file("alerts.yaml");
    let led: Vec<_> = rules
        .split("troubleshooting/#")
        .skip(1)
        .filter_map(|it| it.lines().next())
        .collect();
    assert_eq!(led.len(), rules.matches("- alert:").count());
    for heading in led {
        assert!(headings.contains(heading), "#{heading}");
    }
}

#[tokio::test]
async fn every_name_in_the_files_is_told_and_every_name_that_is_told_is_in_one_of_them() {
    let cache = Cache::builder().url("memory://").build().await.unwrap();
    let text = cache.stats().to_openmetrics();
    let told = text.lines().filter(|line| !line.starts_with('#'));
    let told: BTreeSet<_> = told.filter_map(|line| line.split('{').next()).collect();
    let files = file("grafana.json") + &file("alerts.yaml");
    let named = names(&files);
    let unknown: Vec<_> = named.difference(&told).collect();
    assert!(unknown.is_empty(), "nobody tells {unknown:?}");
    let families = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for family in families {
        let shown = ["", "_total", "_bucket", "_sum"].map(|ending| format!("{family}{ending}"));
        assert!(
            shown.iter().any(|name| named.contains(name.as_str())),
            "nobody shows {family}"
        );
    }
}

/// Each query of the dashboard, with the title of its panel.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&file("grafana.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let queries = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(|target| {
            let query = target["expr"].as_str().expect("a query");
            let filled = [
                ("$namespace", ".*"),
                ("$function", ".*"),
                ("$__rate_interval", "5s"),
                ("$__range", "1m"),
            ];
            let query = filled
                .iter()
                .fold(query.to_owned(), |query, (name, value)| {
                    query.replace(name, value)
                });
            (panel["title"].as_str().expect("a title").to_owned(), query)
        })
    });
    queries.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_scrapes_a_program_and_every_panel_has_an_answer() {
    let world = World::on_redis();
    let cache = world.cache().await;
    let scraped = cache.clone();
    let port = serve(Stats::OPENMETRICS, move || scraped.stats().to_openmetrics()).await;
    let traffic = cache.clone();
    let traffic = tokio::spawn(async move {
        for id in (1..).flat_map(|id| [id, id, id]) {
            let _ = traffic.scope(read(id)).await;
            if id % 7 == 0 {
                let _ = traffic.invalidate(format!("dashboards:{id}")).await;
                let _ = traffic.store_sample().await;
            }
        }
    });
    filled(&cache, 10).await;
    let prometheus = Prometheus::scraping(port).await;
    eventually("a scrape", async || {
        prometheus.query("up").await == Ok(vec![1.0])
    })
    .await;
    let queries = queries();
    assert!(queries.len() > 40, "{}", queries.len());
    for (panel, query) in queries {
        let answers = async || match prometheus.query(&query).await {
            Ok(values) => !values.is_empty(),
            Err(refused) => panic!("{panel}: {query}: {refused}"),
        };
        eventually(&format!("an answer for {panel}: {query}"), answers).await;
    }
    let hits = prometheus
        .query("sum(cached_redis_reads_total{namespace=\"it\", result=\"hit\"}) > 0")
        .await;
    assert_eq!(hits.map(|hits| hits.len()), Ok(1));
    traffic.abort();
}
