//! The numbers for the recorder of the `metrics` facade.
//!
//! A handle that was made before a recorder is installed belongs to none for ever. So each report makes its handles
//! anew and sets what they count: whichever of recorder and cache comes first, the next report is whole.

use metrics::{Key, Label, Level, Metadata, Recorder, Unit, with_recorder};

use crate::observe::families::{Family, Kind, PREFIX, Series, Value, families};
use crate::observe::openmetrics::le;
use crate::observe::stats::Stats;
use crate::util::histogram::Histogram;

/// Where they come from, for recorders that ask.
const FROM: Metadata<'_> = Metadata::new("cached_redis", Level::INFO, Some("cached_redis"));

impl Stats {
    /// Gives all numbers to the recorder of the `metrics` facade that is installed, under [the
    /// names](crate::docs::metrics) of [`to_openmetrics`](Self::to_openmetrics). Where there is none, nothing
    /// happens.
    ///
    /// A histogram is given as the counters `…_bucket` and `…_count` and the gauge `…_sum`, since the facade takes
    /// values one by one and not what was counted already: queries on it are the same.
    ///
    /// [`Cache::report_metrics`](crate::Cache::report_metrics) does it again and again.
    pub fn report(&self) {
        with_recorder(|recorder| {
            for family in families(&[self]) {
                describe(recorder, &family);
                family
                    .series
                    .iter()
                    .for_each(|series| set(recorder, family.name, series));
            }
        });
    }
}

fn describe(recorder: &dyn Recorder, family: &Family) {
    let unit = match family.unit {
        Some("seconds") => Some(Unit::Seconds),
        Some("bytes") => Some(Unit::Bytes),
        _ => None,
    };
    let help = family.help.into();
    match family.kind {
        Kind::Counter => recorder.describe_counter(named(family.name, "_total").into(), unit, help),
        Kind::Gauge => recorder.describe_gauge(named(family.name, "").into(), unit, help),
        Kind::Histogram => {
            recorder.describe_counter(named(family.name, "_count").into(), None, help);
        }
    }
}

fn set(recorder: &dyn Recorder, name: &str, series: &Series) {
    let labels = series.labels.iter();
    let labels: Vec<_> = labels
        .map(|(name, value)| Label::new(*name, value.clone()))
        .collect();
    match &series.value {
        Value::Count(count) => counter(recorder, named(name, "_total"), labels, *count),
        Value::Size(size) => gauge(recorder, named(name, ""), labels, *size),
        Value::Histogram(histogram) => set_histogram(recorder, name, &labels, histogram),
    }
}

fn set_histogram(recorder: &dyn Recorder, name: &str, labels: &[Label], histogram: &Histogram) {
    for (bound, count) in histogram.buckets() {
        let mut labels = labels.to_vec();
        labels.push(Label::new("le", le(bound)));
        counter(recorder, named(name, "_bucket"), labels, count);
    }
    counter(
        recorder,
        named(name, "_count"),
        labels.to_vec(),
        histogram.count(),
    );
    gauge(
        recorder,
        named(name, "_sum"),
        labels.to_vec(),
        histogram.sum(),
    );
}

fn named(name: &str, ending: &str) -> String {
    format!("{PREFIX}{name}{ending}")
}

fn counter(recorder: &dyn Recorder, name: String, labels: Vec<Label>, count: u64) {
    let key = Key::from_parts(name, labels);
    recorder.register_counter(&key, &FROM).absolute(count);
}

fn gauge(recorder: &dyn Recorder, name: String, labels: Vec<Label>, size: f64) {
    let key = Key::from_parts(name, labels);
    recorder.register_gauge(&key, &FROM).set(size);
}
