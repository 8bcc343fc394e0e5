//! Sends purges until they are taken.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use tokio::time::{sleep, timeout};

use super::{PurgeApi, PurgeError};

/// What an API may ask for at most.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// How much of an answer is read.
const LONGEST_ANSWER: usize = 64 * 1024;

pub(super) struct Sender<A> {
    api: A,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    pub(super) timeout: Duration,
    pub(super) first_pause: Duration,
    pub(super) longest_pause: Duration,
}

/// Why a purge has to be sent again.
#[derive(Debug)]
struct Refusal {
    problem: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn new(problem: impl Into<String>) -> Self {
        let (problem, retry_after) = (problem.into(), None);
        Self {
            problem,
            retry_after,
        }
    }
}

impl<A: PurgeApi> Sender<A> {
    pub(super) fn new(api: A) -> Result<Self, PurgeError> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(ring::default_provider())
            .map_err(PurgeError::Certificates)?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            api,
            client: Client::builder(TokioExecutor::new()).build(connector),
            timeout: Duration::from_secs(10),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
        })
    }

    /// Returns when all names have been purged.
    pub(super) async fn send(&self, names: &[String]) {
        for names in names.chunks(self.api.most_names().max(1)) {
            self.send_until_taken(names).await;
        }
    }

    async fn send_until_taken(&self, names: &[String]) {
        let (mut pause, mut failed) = (self.first_pause, 0_u32);
        while let Err(refusal) = self.attempt(names).await {
            failed += 1;
            tracing::warn!(problem = %refusal.problem, failed, "a CDN was not purged; it is tried again");
            let asked = refusal.retry_after.map(|asked| asked.min(LONGEST_RETRY));
            // Those who failed together do not come back together.
            let own = pause.mul_f64(0.75 + fastrand::f64() / 4.0);
            sleep(asked.unwrap_or(own)).await;
            pause = (pause * 2).min(self.longest_pause);
        }
        if failed > 0 {
            tracing::info!(failed, "the CDN is purged again");
        }
    }

    async fn attempt(&self, names: &[String]) -> Result<(), Refusal> {
        let request = self.api.request(names).map(Full::new);
        let answer = async {
            let answer = self.client.request(request).await;
            let (head, body) = answer
                .map_err(|_| Refusal::new("no connection"))?
                .into_parts();
            let body = Limited::new(body, LONGEST_ANSWER).collect().await;
            let body = body
                .map_err(|_| Refusal::new("no whole answer"))?
                .to_bytes();
            match self.api.is_done(head.status, &body) {
                true => Ok(()),
                false => Err(refusal(head.status, &head.headers)),
            }
        };
        let answer = timeout(self.timeout, answer).await;
        answer.unwrap_or_else(|_| Err(Refusal::new("no answer in time")))
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap) -> Refusal {
    let after = headers.get(header::RETRY_AFTER);
    let after = after.and_then(|after| retry_after(after.to_str().ok()?, SystemTime::now()));
    Refusal {
        problem: format!("status {}", status.as_u16()),
        retry_after: after,
    }
}

/// A number of seconds, or a date.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

impl<A> fmt::Debug for Sender<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_is_after_seconds_or_at_a_date_and_else_when_the_pause_says() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let seconds = |text| retry_after(text, now).map(|after| after.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        for odd in ["", "-1", "soon", "1.5"] {
            assert_eq!(seconds(odd), None, "{odd}");
        }
    }
}
