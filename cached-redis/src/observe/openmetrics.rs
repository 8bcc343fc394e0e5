//! The numbers as text that Prometheus reads: OpenMetrics 1.0.

use std::fmt::{self, Write as _};

use crate::error::Error;
use crate::observe::families::{Family, Kind, PREFIX, Series, Value, families};
use crate::observe::stats::Stats;
use crate::util::histogram::Histogram;

impl Stats {
    /// What an answer that carries [`to_openmetrics`](Self::to_openmetrics) says of itself, as its `Content-Type`.
    pub const OPENMETRICS: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// All numbers as OpenMetrics text, for Prometheus and all that read the same: see [the names](crate::docs::metrics).
    ///
    /// It is whole, with `# EOF` at its end. Those of several caches are put together by
    /// [`openmetrics`](crate::stats::openmetrics).
    ///
    /// ```
    /// # use cached_redis::Cache;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// let cache = Cache::builder().url("memory://").namespace("shop").build().await?;
    /// let text = cache.stats().to_openmetrics();
    /// assert!(text.contains("\ncached_redis_store_up{namespace=\"shop\"} 1\n"));
    /// assert!(text.ends_with("# EOF\n"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn to_openmetrics(&self) -> String {
        written(&families(&[self]))
    }
}

/// The numbers of several caches as one OpenMetrics text: a program has one such page, and a name stands on it once.
///
/// # Errors
///
/// [`Error::SameNamespace`] when two of them are of one namespace, which nothing else tells apart.
pub fn openmetrics<'a>(caches: impl IntoIterator<Item = &'a Stats>) -> Result<String, Error> {
    let caches: Vec<_> = caches.into_iter().collect();
    for (at, stats) in caches.iter().enumerate() {
        let namespace = stats.namespace();
        if caches[..at]
            .iter()
            .any(|other| other.namespace() == namespace)
        {
            return Err(Error::SameNamespace {
                namespace: namespace.to_owned(),
            });
        }
    }
    Ok(written(&families(&caches)))
}

fn written(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        // A string takes all that is written to it.
        let _ = write_family(&mut text, family);
    }
    text.push_str("# EOF\n");
    text
}

fn write_family(text: &mut String, family: &Family) -> fmt::Result {
    let name = format!("{PREFIX}{}", family.name);
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    writeln!(text, "# TYPE {name} {kind}")?;
    if let Some(unit) = family.unit {
        writeln!(text, "# UNIT {name} {unit}")?;
    }
    writeln!(text, "# HELP {name} {}", family.help)?;
    family
        .series
        .iter()
        .try_for_each(|series| write_series(text, &name, series))
}

fn write_series(text: &mut String, name: &str, series: &Series) -> fmt::Result {
    let labels = series.labels.iter();
    let labels: Vec<_> = labels
        .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
        .collect();
    let labels = labels.join(",");
    match &series.value {
        Value::Count(count) => writeln!(text, "{name}_total{{{labels}}} {count}"),
        Value::Size(size) => writeln!(text, "{name}{{{labels}}} {size}"),
        Value::Histogram(histogram) => write_histogram(text, name, &labels, histogram),
    }
}

fn write_histogram(
    text: &mut String,
    name: &str,
    labels: &str,
    histogram: &Histogram,
) -> fmt::Result {
    for (bound, count) in histogram.buckets() {
        writeln!(
            text,
            "{name}_bucket{{{labels},le=\"{}\"}} {count}",
            le(bound)
        )?;
    }
    writeln!(text, "{name}_count{{{labels}}} {}", histogram.count())?;
    writeln!(text, "{name}_sum{{{labels}}} {}", histogram.sum())
}

/// A bound, as it has to be written: with a point.
pub(crate) fn le(bound: f64) -> String {
    match bound {
        f64::INFINITY => "+Inf".to_owned(),
        whole if whole.fract() == 0.0 => format!("{whole:.1}"),
        part => part.to_string(),
    }
}

/// The value of a label between its quotes.
fn escaped(value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('"', "\\\"");
    value.replace('\n', r"\n")
}

#[cfg(test)]
mod tests;
