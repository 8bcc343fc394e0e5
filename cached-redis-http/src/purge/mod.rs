//! Purges of a CDN, driven by the durable events of a cache.
//!
//! ```text
//! event ── names ── purge ──► again, after a while ──► purge ──► acknowledge
//! ```
//!
//! * **At least once.** An event is acknowledged when it was purged twice. What a process leaves behind that ends
//!   before that, the next one of its group is given.
//! * **Twice**, since a response that was made before the invalidation may reach the CDN after the first purge. The
//!   second one comes [`again_after`](Purger::again_after), which has to be longer than any response is on its way.
//! * A purge that fails is sent again until it is taken, at growing intervals, or when `Retry-After` says. Meanwhile
//!   nothing more is read: events wait in their stream, and not in memory.
//! * Where events may be missing, where a pattern was invalidated, and when it starts, it purges all that the layer
//!   has named for the namespace.

mod cloudflare;
mod fastly;
mod round;
mod sender;

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use cached_redis::Cache;
use cached_redis::events::{Consumer, DurableEvents};
use futures_util::future::FutureExt as _;
use http::{HeaderValue, Request, StatusCode, Uri};
use tokio::time::{Instant, sleep_until};

pub use cloudflare::Cloudflare;
pub use fastly::Fastly;
use round::Round;
use sender::Sender;

/// How many purges may wait to be repeated.
const MOST_WAITING: usize = 1024;

/// The API of a CDN.
pub trait PurgeApi: Send + Sync + 'static {
    /// How many names fit into one request, at least one.
    fn most_names(&self) -> usize;

    /// The request that purges these names.
    fn request(&self, names: &[String]) -> Request<Bytes>;

    /// Whether that is what an answer says. By default its status tells.
    fn is_done(&self, status: StatusCode, body: &[u8]) -> bool {
        let _ = body;
        status.is_success()
    }
}

/// What an API cannot be told.
#[derive(Debug)]
#[non_exhaustive]
pub enum PurgeError {
    /// An address or an id that makes no URI, or another scheme than `https` and `http`.
    Address,
    /// A token with signs that fit in no header.
    Token,
    /// The certificates of the system cannot be read.
    Certificates(std::io::Error),
}

impl std::fmt::Display for PurgeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address => {
                f.write_str("the address or id of the CDN makes no URI: write `https://host` and the id as it is shown")
            }
            Self::Token => {
                f.write_str("the token of the CDN fits in no header: it is letters and digits, without the end of a line")
            }
            Self::Certificates(_) => f.write_str("the certificates of the system cannot be read"),
        }
    }
}

impl std::error::Error for PurgeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Certificates(error) => Some(error),
            _ => None,
        }
    }
}

/// Purges what a CDN keeps when it was invalidated. See [the module](self).
#[derive(Debug)]
#[must_use = "it does nothing before it runs"]
pub struct Purger<A> {
    sender: Sender<A>,
    again_after: Duration,
    at_start: bool,
}

impl<A: PurgeApi> Purger<A> {
    /// By this API.
    ///
    /// # Errors
    ///
    /// When the certificates of the system cannot be read.
    pub fn new(api: A) -> Result<Self, PurgeError> {
        Ok(Self {
            sender: Sender::new(api)?,
            again_after: Duration::from_secs(10),
            at_start: true,
        })
    }

    /// How long after its first purge each name is purged again; 10 s by default. It has to be shorter than
    /// [`claim_after`](Consumer::claim_after), 60 s, or two processes do the same work.
    pub fn again_after(mut self, again_after: Duration) -> Self {
        self.again_after = again_after;
        self
    }

    /// How long one request may take; 10 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.sender.timeout = timeout;
        self
    }

    /// The pause after a request that failed, which doubles until it is as long as `longest`; 1 s and 60 s by default.
    /// `Retry-After` is heeded up to an hour.
    pub fn retry(mut self, first: Duration, longest: Duration) -> Self {
        (self.sender.first_pause, self.sender.longest_pause) = (first, longest);
        self
    }

    /// Whether all is purged when it starts, as it is by default: a new build makes other pages of the same data, and
    /// what came just before its predecessor's end may not have been purged.
    pub fn at_start(mut self, at_start: bool) -> Self {
        self.at_start = at_start;
        self
    }

    /// Purges what `cache` is told of as `consumer`, as long as the runtime runs. Those that publish need an
    /// [`event_stream`](cached_redis::Builder::event_stream).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves what was not purged twice to whoever runs next as the same consumer.
    pub async fn run(self, cache: &Cache, consumer: Consumer) {
        let mut events = cache.durable_events(consumer).await;
        let mut waiting = VecDeque::new();
        if self.at_start {
            waiting.push_back(self.purge(Round::of_all(cache.namespace())).await);
        }
        loop {
            let due = waiting.front().map(|round: &Round| round.due);
            tokio::select! {
                () = until(due) => {
                    if let Some(round) = waiting.pop_front() {
                        self.settle(round, &events).await;
                    }
                }
                notice = events.next(), if waiting.len() < MOST_WAITING => {
                    let Some(notice) = notice else { break };
                    let mut round = Round::new(cache.namespace());
                    round.add(notice);
                    while !round.is_full()
                        && let Some(Some(notice)) = events.next().now_or_never()
                    {
                        round.add(notice);
                    }
                    waiting.push_back(self.purge(round).await);
                }
            }
        }
        for round in waiting {
            until(Some(round.due)).await;
            self.settle(round, &events).await;
        }
    }

    /// The first time.
    async fn purge(&self, mut round: Round) -> Round {
        self.sender.send(&round.names()).await;
        round.due = Instant::now() + self.again_after;
        round
    }

    /// And the second.
    async fn settle(&self, round: Round, events: &DurableEvents) {
        self.sender.send(&round.names()).await;
        for event in &round.events {
            if events.ack(event).await.is_err() {
                tracing::warn!("a purged event could not be acknowledged; it is purged once more");
            }
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

/// `parts` under `address`, if each of them is one.
fn uri(address: &str, parts: &[&str]) -> Result<Uri, PurgeError> {
    let is_plain = |part: &&str| {
        let mut bytes = part.bytes();
        !part.is_empty()
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    let uri: Option<Uri> = format!("{}/{}", address.trim_end_matches('/'), parts.join("/"))
        .parse()
        .ok();
    let uri = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    uri.filter(|_| parts.iter().all(is_plain))
        .ok_or(PurgeError::Address)
}

fn token(token: &str) -> Result<HeaderValue, PurgeError> {
    let mut value = HeaderValue::from_str(token).map_err(|_| PurgeError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

fn json(body: &serde_json::Value) -> Bytes {
    Bytes::from(body.to_string())
}
