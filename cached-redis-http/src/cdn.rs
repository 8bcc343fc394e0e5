//! What a CDN is told: for how long it may keep a response, and by what names that is purged.
//!
//! A name is a hash of the namespace and of a key or a tag in it: it fits whatever an API takes, and tells whoever
//! sees it nothing. **Each response is found by every invalidation of anything in it**, however much that is: more
//! names than a header has room for become buckets, of which there are few, and a purge names the bucket of each
//! name too. So a page of many things is purged too often, and never too seldom.

use std::collections::BTreeSet;
use std::time::Duration;

use cached_redis::{Cache, CacheInfo, Reads};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};

/// How many names a response has at most: 4 KiB, as many proxies take no longer headers.
pub(crate) const MOST_NAMES: usize = 240;

/// How a CDN wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Fastly,
    Cloudflare,
}

/// Lets a CDN keep responses, for [`ConditionalGetLayer::cdn`](crate::ConditionalGetLayer::cdn).
///
/// A response is offered to it with `CDN-Cache-Control` (Fastly: `Surrogate-Control`), for `max_age` or as long as all
/// that was read stays fresh, whichever is less, and only if the **request has none of the headers** that `Vary` names,
/// except `Accept-Encoding`: not every CDN takes notice of `Vary`. Requests with `Cookie` or `Authorization` must pass
/// by what it keeps: configure it so. The browser is told by `Cache-Control`, as without a CDN.
///
/// What is kept is purged by a `purge::Purger`, which hears of the invalidations of writers that
/// [`publish`](cached_redis::docs::events). **Between an invalidation and its purge a CDN serves what was there before**,
/// and `max_age` long if the writer does not publish.
#[derive(Clone, Debug)]
#[must_use]
pub struct Cdn {
    dialect: Dialect,
    namespace: String,
    pub(crate) max_age: Duration,
}

impl Cdn {
    /// Fastly: `Surrogate-Control` and `Surrogate-Key`.
    pub fn fastly(cache: &Cache, max_age: Duration) -> Self {
        Self::new(Dialect::Fastly, cache, max_age)
    }

    /// Cloudflare: `CDN-Cache-Control` and `Cache-Tag`.
    pub fn cloudflare(cache: &Cache, max_age: Duration) -> Self {
        Self::new(Dialect::Cloudflare, cache, max_age)
    }

    fn new(dialect: Dialect, cache: &Cache, max_age: Duration) -> Self {
        let namespace = cache.namespace().to_owned();
        Self {
            dialect,
            namespace,
            max_age,
        }
    }

    /// Nothing, where something was read that this cache's invalidations do not name.
    pub(crate) fn describe(&self, headers: &mut HeaderMap, seconds: u64, reads: &Reads) {
        let (control, names, between) = match self.dialect {
            Dialect::Fastly => ("surrogate-control", "surrogate-key", " "),
            Dialect::Cloudflare => ("cdn-cache-control", "cache-tag", ","),
        };
        let Some(all) = self.names(reads) else { return };
        let all: Vec<_> = all.into_iter().collect();
        let values = (
            HeaderValue::try_from(format!("max-age={seconds}")),
            HeaderValue::try_from(all.join(between)),
        );
        if let (Ok(lasting), Ok(all)) = values {
            headers.insert(HeaderName::from_static(control), lasting);
            headers.insert(HeaderName::from_static(names), all);
        }
    }

    fn names(&self, reads: &Reads) -> Option<BTreeSet<String>> {
        let names = Names(&self.namespace);
        let mut all = BTreeSet::new();
        for read in reads {
            all.insert(names.key(own(read, &self.namespace)?));
            all.extend(read.tags().iter().map(|tag| names.tag(tag)));
        }
        if all.len() > MOST_NAMES {
            all = all.iter().map(|name| bucket(name)).collect();
        }
        all.insert(names.all());
        Some(all)
    }
}

/// The key as events name it.
fn own<'a>(read: &'a CacheInfo, namespace: &str) -> Option<&'a str> {
    read.key()?.strip_prefix(namespace)?.strip_prefix(':')
}

/// The names of what is in a namespace.
pub(crate) struct Names<'a>(pub(crate) &'a str);

impl Names<'_> {
    pub(crate) fn key(&self, key: &str) -> String {
        self.name("key", key)
    }

    pub(crate) fn tag(&self, tag: &str) -> String {
        self.name("tag", tag)
    }

    /// That of every response.
    pub(crate) fn all(&self) -> String {
        self.name("all", "")
    }

    fn name(&self, kind: &str, name: &str) -> String {
        let mut hash = Sha256::new();
        for part in [self.0, kind, name] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let hash = hash.finalize();
        hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// One of 256.
pub(crate) fn bucket(name: &str) -> String {
    format!("b{}", &name[..2])
}
