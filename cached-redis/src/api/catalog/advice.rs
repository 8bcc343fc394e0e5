//! Options that do harm together: each is right by itself, and so nothing refuses them.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::Catalog;
use crate::engine::handle::Inner;
use crate::engine::settings::Settings;
use crate::observe::registry::{Function, Writer};
use crate::policy::Policy;
use crate::wire::template::Template;

/// One thing that is not wrong and does harm all the same; [`Catalog::advice`] gives them.
///
/// Its `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Advice {
    /// Its kind, such as `no-maxmemory`: the same in all releases.
    pub kind: &'static str,
    /// The function that it is about; `None` where it is about the store or a named policy.
    pub function: Option<&'static str>,
    /// What was found.
    pub finding: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(function) = self.function {
            write!(f, "`{function}` ")?;
        }
        write!(f, "{}: {}", self.finding, self.remedy)
    }
}

/// From one table: the kinds, and what to do about each.
macro_rules! kinds {
    ($($name:ident $kind:literal: $remedy:literal;)+) => {
        $(fn $name(function: Option<&'static str>, finding: String) -> Advice {
            Advice { kind: $kind, function, finding, remedy: $remedy }
        })+
    };
}

kinds! {
    window_below_lease "window-below-lease":
        "make the window longer than the lease: until that of a process which died has run out, nobody loads anew";
    early_without_ttl "early-refresh-without-ttl":
        "give it a TTL, of which a share is then left: without one, reads under it run uncached";
    negative_above_ttl "negative-ttl-above-ttl":
        "make the negative TTL the shorter one: an absence that has ended is else hidden for longer than a change";
    guarded_beside_bare "guarded-beside-bare":
        "give both `guard`, or neither: what is written in one phase can be overtaken by a load, guarded or not";
    ttl_below_load "ttl-below-load-time":
        "make the TTL longer than the load, or do not cache it: entries are past it sooner than they can be replaced";
    no_maxmemory "no-maxmemory":
        "set `maxmemory` and a `maxmemory-policy`: entries take room until their TTL, and the host's memory ends first";
}

impl Catalog {
    /// What is not wrong and does harm all the same, with what to do about it; empty for a catalogue that
    /// belongs to no cache. Each is told by a warning too, when the cache is built or as soon as it is known.
    ///
    /// * `window-below-lease`: a stale window shorter than the [lease](crate::Builder::lease),
    /// * `early-refresh-without-ttl`: a named policy with an early refresh or a stale window that no layer gives
    ///   a TTL,
    /// * `negative-ttl-above-ttl`: an absence that is kept for longer than a value,
    /// * `guarded-beside-bare`: a writer with `guard` on a key that another one invalidates without,
    /// * `ttl-below-load-time`: a TTL that is shorter than the mean load until now,
    /// * `no-maxmemory`: a server whose memory has no limit.
    ///
    /// ```
    /// # use cached_redis::Cache;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// let cache = Cache::builder().url("memory://").build().await?;
    /// for advice in cache.catalog().advice() {
    ///     println!("{}: {advice}", advice.kind);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn advice(&self) -> &[Advice] {
        &self.advice
    }

    /// With what is known of `inner`.
    pub(crate) fn advised(mut self, inner: &Inner) -> Self {
        let mut advice = self.of_settings(&inner.settings);
        advice.extend(self.own().filter_map(|function| of_loads(inner, function)));
        let unbounded = inner.store.unbounded().into_iter();
        advice.extend(unbounded.map(|server| {
            no_maxmemory(
                None,
                format!("the server {server} has no limit of its memory"),
            )
        }));
        self.advice = advice;
        self
    }

    /// What the options alone show.
    pub(crate) fn of_settings(&self, settings: &Settings) -> Vec<Advice> {
        let mut policies: Vec<_> = settings.policies.iter().collect();
        policies.sort_by_key(|(name, _)| *name);
        let policies = policies.into_iter();
        let mut advice: Vec<_> = policies
            .filter_map(|(name, policy)| of_policy(settings, name, policy))
            .collect();
        for function in self.own() {
            if let Some(policy) = settings.resolve(&function.info.policy) {
                advice.extend(of_function(settings, function.info.path, &policy));
            }
        }
        advice.extend(self.guarded().flat_map(|guarded| self.beside(guarded)));
        advice
    }

    /// Those that ask the default cache.
    fn own(&self) -> impl Iterator<Item = &'static Function> {
        let functions = self.functions.iter().copied();
        functions.filter(|function| !function.info.bound)
    }

    fn guarded(&self) -> impl Iterator<Item = &'static Writer> {
        let writers = self.writers.iter().copied();
        writers.filter(|writer| !writer.info.bound && writer.info.guard.is_some())
    }

    /// Writers without a guard of what one with it writes. A write-through bars its key by itself.
    fn beside(&self, guarded: &'static Writer) -> Vec<Advice> {
        let patterns = |writer: &Writer| -> Vec<_> {
            writer
                .info
                .targets
                .iter()
                .map(|target| Template::pattern(target))
                .collect()
        };
        let own = patterns(guarded);
        let bare = |writer: &&&'static Writer| {
            writer.info.guard.is_none()
                && !writer.info.bound
                && !writer.through
                && patterns(writer)
                    .iter()
                    .any(|target| own.iter().any(|own| own.meets(target)))
        };
        let bare = self.writers.iter().filter(bare);
        let advice = bare.map(|bare| {
            let (path, guarded) = (bare.info.path, guarded.info.path);
            let finding = format!("invalidates without `guard` what `{guarded}` writes under one");
            guarded_beside_bare(Some(path), finding)
        });
        advice.collect()
    }
}

/// A policy that can be named, which `build` lets be incomplete.
fn of_policy(settings: &Settings, name: &str, policy: &Policy) -> Option<Advice> {
    let is_early = policy.refresh_ahead.is_some()
        || policy.early_expiry.is_some()
        || policy.stale_while_revalidate.is_some()
        || policy.stale_if_error.is_some();
    let has_ttl = policy.ttl.or(settings.defaults.ttl).is_some() || policy.ttl_of_value;
    let finding =
        || format!("the policy `{name}` refreshes early, or serves past the TTL, and has none");
    (is_early && !has_ttl).then(|| early_without_ttl(None, finding()))
}

fn of_function(
    settings: &Settings,
    function: &'static str,
    policy: &Policy,
) -> impl Iterator<Item = Advice> {
    let (lease, ttl) = (settings.lease, policy.ttl);
    let windows = [
        ("stale_while_revalidate", policy.stale_while_revalidate),
        ("stale_if_error", policy.stale_if_error),
    ];
    let windows = windows.into_iter().filter_map(move |(option, window)| {
        let window = window.filter(|window| !window.is_zero() && *window < lease)?;
        let finding =
            format!("has `{option}` of {window:?}, which is below the lease of {lease:?}");
        Some(window_below_lease(Some(function), finding))
    });
    let negative = policy
        .negative_ttl
        .zip(ttl)
        .filter(|(negative, ttl)| negative > ttl);
    let negative = negative.map(|(negative, ttl)| {
        let finding = format!("keeps a `None` for {negative:?}, and values for {ttl:?}");
        negative_above_ttl(Some(function), finding)
    });
    windows.chain(negative)
}

/// What its loads until now show.
fn of_loads(inner: &Inner, function: &'static Function) -> Option<Advice> {
    let ttl = inner.settings.resolve(&function.info.policy)?.ttl?;
    let mean = inner.counters(&function.site).mean_load()?;
    let finding = || {
        let mean = Duration::from_millis(mean.as_millis() as u64);
        format!("has a TTL of {ttl:?}, and takes {mean:?} to load")
    };
    (mean > ttl).then(|| ttl_below_load(Some(function.info.path), finding()))
}
