//! Every kind of load.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Policy, current, redis_cached};

use crate::support::{Failed, Source};

pub(super) const POLICY: Policy = Policy::new().ttl(Duration::from_secs(600));

type Reading<'a> = Pin<Box<dyn Future<Output = Result<u64, Failed>> + Send + 'a>>;

#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) name: &'static str,
    run: for<'a> fn(&'a Cache, &'a Source, u64) -> Reading<'a>,
    pub(super) before: Before,
    /// Whether it loads whatever stands.
    refreshes: bool,
    /// Whether it leaves only the name of its tag.
    pub(super) stores_nothing: bool,
    /// Whether it has a tag.
    pub(super) is_tagged: bool,
}

/// What stands before, and how many reads make it.
#[derive(Clone, Copy)]
pub(super) enum Before {
    Nothing,
    NameOfTag,
    Entry(usize),
}

impl Before {
    pub(super) fn reads(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::NameOfTag => 1,
            Self::Entry(reads) => reads,
        }
    }
}

impl Load {
    const fn of(
        name: &'static str,
        run: for<'a> fn(&'a Cache, &'a Source, u64) -> Reading<'a>,
    ) -> Self {
        Self {
            name,
            run,
            before: Before::Nothing,
            refreshes: false,
            stores_nothing: false,
            is_tagged: false,
        }
    }

    const fn after(mut self, before: Before) -> Self {
        self.before = before;
        self
    }

    const fn refreshed(mut self) -> Self {
        self.refreshes = true;
        self
    }

    const fn storing_nothing(mut self) -> Self {
        self.stores_nothing = true;
        self
    }

    const fn tagged(mut self) -> Self {
        self.is_tagged = true;
        self
    }

    /// The load that is overtaken.
    pub(super) async fn begin(&self, cache: &Cache, source: &Source, id: u64) -> u64 {
        let read = (self.run)(cache, source, id);
        let read = if self.refreshes {
            Box::pin(read.refreshed())
        } else {
            read
        };
        read.await.unwrap()
    }

    pub(super) fn key(&self, id: u64) -> String {
        match self.is_tagged {
            false => format!("overtaken:{id}"),
            true => format!("overtaken-tagged:{id}"),
        }
    }

    /// The tags that whoever writes by hand has to say.
    pub(super) fn tags(&self, id: u64) -> Option<String> {
        self.is_tagged.then(|| tag(id))
    }

    /// A read of the same form.
    pub(super) async fn read(&self, cache: &Cache, source: &Source, id: u64) -> u64 {
        (self.run)(cache, source, id).await.unwrap()
    }
}

use Before::{Entry, NameOfTag};

pub(super) const LOADS: [Load; 19] = [
    Load::of("miss", run_plain),
    Load::of("absence", run_absence),
    Load::of("by_hand", run_by_hand),
    Load::of("batch", run_batch),
    Load::of("tagged", run_tagged).tagged(),
    Load::of("tagged_by_hand", run_tagged_by_hand).tagged(),
    Load::of("tagged_batch", run_found_batch)
        .after(NameOfTag)
        .tagged(),
    Load::of("new_tag", run_found).tagged().storing_nothing(),
    Load::of("known_tag", run_found).after(NameOfTag).tagged(),
    Load::of("refresh_of_nothing", run_plain).refreshed(),
    Load::of("refresh", run_plain).after(Entry(1)).refreshed(),
    Load::of("refresh_of_a_batch", run_batch)
        .after(Entry(1))
        .refreshed(),
    Load::of("tagged_refresh", run_tagged)
        .after(Entry(1))
        .refreshed()
        .tagged(),
    Load::of("refresh_with_a_known_tag", run_found)
        .after(Entry(2))
        .refreshed()
        .tagged(),
    Load::of("while_revalidating", run_revalidating).after(Entry(1)),
    Load::of("ahead", run_ahead).after(Entry(1)),
    Load::of("early", run_early).after(Entry(1)),
    Load::of("past_its_ttl", run_past_its_ttl).after(Entry(1)),
    Load::of("past_the_soft_timeout", run_soft).after(Entry(1)),
];

/// Functions of one key that differ in their options.
macro_rules! functions {
    ($($name:ident as $run:ident ($($option:tt)*);)+) => {$(
        #[redis_cached(skip(source), jitter = 0.0, $($option)*)]
        async fn $name(source: &Source, id: u64) -> Result<u64, Failed> {
            source.try_load().await.ok_or(Failed)
        }

        fn $run<'a>(cache: &'a Cache, source: &'a Source, id: u64) -> Reading<'a> {
            Box::pin(cache.scope($name(source, id)))
        }
    )+};
}

functions! {
    plain as run_plain (key = "overtaken:<id>", ttl = 600);
    tagged as run_tagged (key = "overtaken-tagged:<id>", ttl = 600, tags = "overtaken-tag:<id>");
    revalidating as run_revalidating (key = "overtaken:<id>", ttl = 0.001, stale_while_revalidate = 600);
    ahead as run_ahead (key = "overtaken:<id>", ttl = 600, refresh_ahead = 0.000001);
    early as run_early (key = "overtaken:<id>", ttl = 600, early_expiry = 1e9);
    past_its_ttl as run_past_its_ttl (key = "overtaken:<id>", ttl = 0.001, stale_if_error = 600);
    soft as run_soft (key = "overtaken:<id>", ttl = 0.001, stale_if_error = 600, soft_timeout = 0.001);
}

/// There is nothing before version 2.
#[redis_cached(key = "overtaken:<id>", skip(source), ttl = 600)]
async fn from_version_2(source: &Source, id: u64) -> Option<u64> {
    let version = source.load().await;
    (version > 1).then_some(version)
}

fn run_absence<'a>(cache: &'a Cache, source: &'a Source, id: u64) -> Reading<'a> {
    Box::pin(async move { Ok(cache.scope(from_version_2(source, id)).await.unwrap_or(1)) })
}

fn run_by_hand<'a>(cache: &'a Cache, source: &'a Source, id: u64) -> Reading<'a> {
    let load = || async { source.try_load().await.ok_or(Failed) };
    Box::pin(async move {
        cache
            .get_or_fill(&POLICY, format!("overtaken:{id}"), load)
            .await
    })
}

fn run_tagged_by_hand<'a>(cache: &'a Cache, source: &'a Source, id: u64) -> Reading<'a> {
    let load = || async { source.try_load().await.ok_or(Failed) };
    Box::pin(async move {
        let entry = cache
            .entry(format!("overtaken-tagged:{id}"))
            .policy(&POLICY);
        entry.tags([tag(id)]).get_or_fill(load).await
    })
}

#[redis_cached(batch(id in ids), key = "overtaken:<id>", skip(source), ttl = 600)]
async fn all(source: &Source, ids: &[u64]) -> Result<HashMap<u64, u64>, Failed> {
    let version = source.try_load().await.ok_or(Failed)?;
    Ok(ids.iter().map(|id| (*id, version)).collect())
}

/// The row, beside one that nothing overtakes.
fn run_batch<'a>(cache: &'a Cache, source: &'a Source, id: u64) -> Reading<'a> {
    Box::pin(async move {
        let found = cache.scope(all(source, &[id, beside(id)])).await?;
        Ok(found[&id])
    })
}

/// It finds its tag.
#[redis_cached(key = "overtaken-tagged:<id>", skip(source), ttl = 600)]
async fn found(source: &Source, id: u64) -> Result<u64, Failed> {
    let version = source.try_load().await.ok_or(Failed)?;
    current().tag(tag(id));
    Ok(version)
}

fn run_found<'a>(cache: &'a Cache, source: &'a Source, id: u64) -> Reading<'a> {
    Box::pin(cache.scope(found(source, id)))
}

#[redis_cached(batch(id in ids), key = "overtaken-tagged:<id>", skip(source), ttl = 600)]
async fn found_together(source: &Source, ids: &[u64]) -> Result<HashMap<u64, u64>, Failed> {
    let version = source.try_load().await.ok_or(Failed)?;
    ids.iter().for_each(|id| current().tag(tag(*id)));
    Ok(ids.iter().map(|id| (*id, version)).collect())
}

fn run_found_batch<'a>(cache: &'a Cache, source: &'a Source, id: u64) -> Reading<'a> {
    Box::pin(async move {
        let found = cache
            .scope(found_together(source, &[id, beside(id)]))
            .await?;
        Ok(found[&id])
    })
}

pub(super) fn tag(id: u64) -> String {
    format!("overtaken-tag:{id}")
}

fn beside(id: u64) -> u64 {
    1_000_000 + id
}
