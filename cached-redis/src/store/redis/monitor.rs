//! Whether a connection that goes on still leads to what it was made to.
//!
//! A server that is made a replica, and maybe a primary again, keeps its connections. What it has then
//! is what another server had, and invalidations that it had confirmed may be lost; yet no command on
//! the connection shows it. So it is asked, once a second and beside all operations: who reads pays
//! nothing for it.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value};
use tokio::time::{Instant, sleep};

use super::facts::{Facts, Identity};
use super::reply;
use crate::error::StoreError;
use crate::store::{Answer, Watch};
use crate::util::lock::Mutex;
use crate::util::moment::Moment;

/// The pause between an answer and the next question, at most.
const PERIOD: Duration = Duration::from_secs(1);

pub(super) struct Monitor {
    connection: MultiplexedConnection,
    /// What is compared; `None`: the server did not tell it, so it is not asked for it either.
    history: Option<String>,
    /// Whether it is asked for the elections of its cluster, too.
    asks_for_elections: bool,
    seen: Seen,
}

/// The last sign of life of a server; `None`: it was not asked for one.
#[derive(Clone)]
pub(super) struct Seen(Arc<Mutex<Option<Instant>>>);

impl Seen {
    fn now(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    /// The last time that the server is known to have been there: now, where it was not asked.
    pub(super) fn last(&self) -> Instant {
        self.0.lock().unwrap_or_else(Instant::now)
    }
}

impl Monitor {
    pub(super) fn new(
        connection: MultiplexedConnection,
        server: &Identity,
        asks_for_elections: bool,
    ) -> Self {
        let history = server.history.clone();
        Self {
            connection,
            seen: Seen(Arc::new(Mutex::new(history.is_some().then(Instant::now)))),
            history,
            asks_for_elections,
        }
    }

    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Until the server is another one than at the beginning, or `watch` has no use for it while it `is_live`.
    /// A server that is silent is not asked again, and the end of the connection is for others to notice.
    pub(super) async fn keep(&mut self, watch: &dyn Watch, is_live: impl Fn() -> bool) {
        while self.history.is_some() || watch.agreement().is_some() {
            sleep(PERIOD.min(watch.period())).await;
            let sent = Moment::now();
            if self.history.is_some() {
                match self.ask().await {
                    Ok((facts, _)) if self.is_other(&facts) => return,
                    Ok((_, epoch)) if is_live() && !watch.answered(sent, epoch) => return,
                    Err(StoreError::Lost) => break,
                    _ => self.seen.now(),
                }
            }
            if !self.agrees(watch).await {
                return;
            }
        }
        pending::<()>().await;
    }

    /// Whether `watch` still has a use for the connection, as far as that is answered.
    async fn agrees(&mut self, watch: &dyn Watch) -> bool {
        let Some(key) = watch.agreement() else {
            return true;
        };
        let mut question = redis::cmd("GET");
        question.arg(key);
        self.send(&question).await.map_or(true, |value| {
            watch.agrees(reply::number(value).unwrap_or(0))
        })
    }

    /// What the server says of itself, and of elections.
    async fn ask(&mut self) -> Answer<(Facts, Option<u64>)> {
        let mut question = redis::cmd("INFO");
        question.arg("replication");
        let facts = self.send(&question).await.map(Facts::of)?;
        let epoch = match self.asks_for_elections {
            true => epoch(self.send(&elections()).await?),
            false => None,
        };
        Ok((facts, epoch))
    }

    async fn send(&mut self, question: &Cmd) -> Answer<Value> {
        reply::value(self.connection.send_packed_command(question).await)
    }

    fn is_other(&self, facts: &Facts) -> bool {
        facts.problem(false).is_some() || facts.identity().history != self.history
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.clone()
    }
}

/// What a server of a cluster knows of elections, and of slots that were moved.
pub(super) fn elections() -> Cmd {
    redis::cmd("CLUSTER").arg("INFO").clone()
}

/// How far that goes; `None`: it does not say, or does not take itself to be among those that decide.
pub(super) fn epoch(info: Value) -> Option<u64> {
    let info = reply::text(info).ok()?;
    let line = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
    line("cluster_state:").filter(|state| state.trim() == "ok")?;
    line("cluster_current_epoch:")?.trim().parse().ok()
}
