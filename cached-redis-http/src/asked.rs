//! What is kept of a request while its handler runs, and the validator that it makes of what was read.
//!
//! A tag is the hash of all that the response may depend on: the build, the URI, the headers that `Vary` names, what
//! the route adds, and the contents of what was read. So that a tag matches says that all of these are the same, and
//! nothing of when they were loaded: what is compared was read by this very request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cached_redis::Reads;
use headers::{ETag, HeaderMapExt as _, IfNoneMatch};
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};
use sha2::{Digest as _, Sha256};

use crate::settings::Settings;

tokio::task_local! {
    /// Of the request that is being answered.
    pub(crate) static ASKED: Arc<Asked>;
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) settings: Arc<Settings>,
    pub(crate) headers: HeaderMap,
    pub(crate) is_head: bool,
    /// All but the headers and what is read.
    hash: Hash,
}

/// The names in `Vary`, in small letters.
pub(crate) type Vary = BTreeSet<String>;

impl Asked {
    pub(crate) fn new(settings: &Arc<Settings>, parts: &Parts) -> Self {
        let mut hash = Hash::default();
        hash.part(settings.build.bytes());
        let uri = uri(parts);
        hash.part(uri.scheme_str().unwrap_or_default().as_bytes());
        hash.part(host(uri, &parts.headers));
        hash.part(uri.path().as_bytes());
        hash.part(uri.query().unwrap_or_default().as_bytes());
        hash.part(&[u8::from(uri.query().is_some())]);
        for input in &settings.inputs {
            hash.part(&input(parts));
        }
        Self {
            settings: Arc::clone(settings),
            headers: parts.headers.clone(),
            is_head: parts.method == Method::HEAD,
            hash,
        }
    }

    /// The tag of a response that varies with the headers named in `vary`; `None` where what was read does not
    /// tell what it is.
    pub(crate) fn etag(&self, vary: &Vary, reads: &Reads) -> Option<ETag> {
        let contents = contents(reads)?;
        let mut hash = self.hash.clone();
        for name in vary {
            hash.part(name.as_bytes());
            let values: Vec<_> = self.headers.get_all(name.as_str()).iter().collect();
            hash.count(values.len());
            for value in values {
                match name == header::COOKIE.as_str() {
                    true => hash.part(&self.settings.cookies(value.as_bytes())),
                    false => hash.part(value.as_bytes()),
                }
            }
        }
        hash.count(contents.len());
        for (key, content) in contents {
            hash.part(key.as_bytes());
            hash.part(&content.to_le_bytes());
        }
        format!("W/\"{}\"", hash.end()).parse().ok()
    }

    /// Whether the client has what carries this tag. RFC 9110: by weak comparison, and without regard to
    /// `If-Modified-Since`. What only `If-Match` can ask for is left to the handler.
    pub(crate) fn has(&self, etag: &ETag) -> bool {
        let first = [header::IF_MATCH, header::IF_UNMODIFIED_SINCE];
        if first.iter().any(|name| self.headers.contains_key(name)) {
            return false;
        }
        let asked = self.headers.typed_get::<IfNoneMatch>();
        asked.is_some_and(|tags| !tags.precondition_passes(etag))
    }
}

/// What each key gave; `None` where nothing was read, where something has no content, or where one key has given
/// two in turn: the response is then of neither.
fn contents(reads: &Reads) -> Option<BTreeMap<&str, u128>> {
    let mut contents = BTreeMap::new();
    for read in reads {
        let content = read.content()?;
        if contents.insert(read.key()?, content).unwrap_or(content) != content {
            return None;
        }
    }
    (!contents.is_empty()).then_some(contents)
}

fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a [u8] {
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let host = || Some(headers.get(header::HOST)?.as_bytes());
    authority.or_else(host).unwrap_or_default()
}

/// As it was before a router took its part away.
fn uri(parts: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = parts.extensions.get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    &parts.uri
}

/// A hash of parts, each with its length before it, so that no two lists of parts are the same bytes.
#[derive(Clone, Default)]
struct Hash(Sha256);

impl Hash {
    fn part(&mut self, part: &[u8]) {
        self.count(part.len());
        self.0.update(part);
    }

    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_le_bytes());
    }

    /// 128 bits of it are enough to tell any two apart.
    fn end(self) -> String {
        let hash = self.0.finalize();
        hash[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl std::fmt::Debug for Hash {
    /// It is of credentials, too.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hash").finish_non_exhaustive()
    }
}
