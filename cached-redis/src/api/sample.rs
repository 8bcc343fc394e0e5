//! What is in the store: asked there, by whoever wants to know, and never by a read or a write.

use serde::Serialize;

use crate::engine::handle::{Cache, Inner};
use crate::error::Error;
use crate::observe::registry::{Function, registered};
use crate::store::Store as _;
use crate::store::many::MOST;
use crate::store::sample::StoreSample;
use crate::wire::key::Pattern;

/// How many entries of which function were met; [`Cache::entries_by_function`] counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct EntryCounts {
    /// How many keys of the namespace were looked at.
    pub scanned: u64,
    /// Whether these are all.
    pub complete: bool,
    /// Each function under `#[redis_cached]`, those without entries too.
    pub functions: Vec<FunctionEntries>,
    /// Keys that are of no function of this program: tags, keys by hand, those of other programs.
    pub others: u64,
}

/// How many entries of one function were met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FunctionEntries {
    /// `module::function`.
    pub function: &'static str,
    /// How many keys its template can make. One that several functions can make is counted for the first.
    pub entries: u64,
    /// Their values together, with headers and without keys.
    pub bytes: u64,
}

impl Cache {
    /// Asks the store how full it is: `INFO` and `DBSIZE`, in one round trip to each server.
    /// [`Stats::sample`](crate::stats::Stats::sample) has it from then on.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when a server does not answer, or does not let this login ask.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn store_sample(&self) -> Result<StoreSample, Error> {
        let sample = StoreSample::now(self.inner.store.sample().await?);
        *self.inner.sample.lock() = Some(sample.clone());
        Ok(sample)
    }

    /// Counts the entries of each function, by looking at about `most` keys of the namespace and no more: by
    /// `SCAN` and `STRLEN`, some hundred at a time. For a person who asks, and not for each minute.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when a server does not answer, or keys are being moved between servers.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn entries_by_function(&self, most: u64) -> Result<EntryCounts, Error> {
        let mut counts = Counting::of(&self.inner);
        let prefix = format!("{}:", self.inner.namespace);
        let mut cursor = 0;
        while counts.scanned < most {
            let (keys, next) = self.inner.store.scan(&prefix, cursor).await?;
            for keys in keys.chunks(MOST) {
                counts.add(keys, &self.inner.store.lengths(keys).await?);
            }
            cursor = next;
            if cursor == 0 {
                return Ok(counts.ended(true));
            }
        }
        Ok(counts.ended(false))
    }
}

/// Counts under way.
struct Counting {
    patterns: Vec<(Pattern, FunctionEntries)>,
    scanned: u64,
    others: u64,
}

impl Counting {
    fn of(inner: &Inner) -> Self {
        let row = |function: &'static Function| FunctionEntries {
            function: function.info.path,
            entries: 0,
            bytes: 0,
        };
        let pattern = |function: &&'static Function| {
            let pattern = Pattern::of_template(&inner.namespace, function.info.template);
            (pattern, row(function))
        };
        Self {
            patterns: registered().0.iter().map(pattern).collect(),
            scanned: 0,
            others: 0,
        }
    }

    fn add(&mut self, keys: &[String], lengths: &[u64]) {
        self.scanned += keys.len() as u64;
        for (key, length) in keys.iter().zip(lengths) {
            let mut patterns = self.patterns.iter_mut();
            match patterns.find(|(pattern, _)| pattern.matches(key)) {
                Some((_, row)) => {
                    row.entries += 1;
                    row.bytes += length;
                }
                None => self.others += 1,
            }
        }
    }

    fn ended(self, complete: bool) -> EntryCounts {
        EntryCounts {
            scanned: self.scanned,
            complete,
            functions: self.patterns.into_iter().map(|(_, row)| row).collect(),
            others: self.others,
        }
    }
}
