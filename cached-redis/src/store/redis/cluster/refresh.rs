//! Learns who has which slots: at first, when an answer was doubtful, while anything is wrong, and once in a while.
//!
//! No operation waits for it. One at a time asks a server that it is connected to, any of them, then the next; if
//! none answers, the seeds of the address, whose names are looked up anew.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_ok;
use redis::{ServerError, Value};
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use super::map::SlotMap;
use super::peer::Peer;
use super::topology::{self, Topology};
use crate::error::ConnectProblem;
use crate::store::Answer;
use crate::store::redis::dial::Route;
use crate::store::redis::{failure, handshake};
use crate::util::backoff::Backoff;

/// Many who lose the same server shall not ask at the same moment.
const SPREAD: Duration = Duration::from_millis(100);

/// The task.
pub(super) async fn refresh(shared: Arc<Shared>) {
    let mut told = None;
    let mut backoff = Backoff::long();
    loop {
        // Where this has begun anew in another runtime, nobody may have missed theirs yet.
        shared.nodes.tend();
        let learnt = shared.learn().await;
        match &learnt {
            Ok(()) => told = None,
            Err(problem) => shared.report(problem, &mut told),
        }
        shared
            .tried
            .send_if_modified(|tried| tried.replace(learnt).is_none());
        sleep(backoff.next()).await;
        if shared.is_whole() {
            let since = Instant::now();
            let period = shared.nodes.settings.refresh;
            let period = period.mul_f64(0.8 + 0.4 * fastrand::f64());
            if timeout(period, shared.doubted.notified()).await.is_ok() {
                sleep(SPREAD.mul_f64(fastrand::f64())).await;
            }
            if since.elapsed() >= backoff.cap() {
                backoff = Backoff::long();
            }
        }
    }
}

impl Shared {
    async fn learn(&self) -> Result<(), ConnectProblem> {
        let then = self.map.load_full();
        let mut nodes = then.nodes().to_vec();
        nodes.retain(|node| node.link.connection.is_up());
        fastrand::shuffle(&mut nodes);
        for node in nodes {
            let answers = node.link.send(topology::questions().into_iter()).await;
            let answers = answers.into_iter().collect::<Answer<Vec<_>>>();
            let told = answers.and_then(|answers| Topology::told(answers, &node.peer));
            if let Some(told) = told.ok().filter(|told| told.is_newer(then.epoch)) {
                self.adopt(told, &then);
                return Ok(());
            }
        }
        // Where none is left, it may be another cluster, which has begun anew.
        let is_left = then.nodes().iter().any(|it| it.link.connection.is_up());
        let epoch = then.epoch.map(|epoch| if is_left { epoch } else { 0 });
        let seeds = self.nodes.seeds.routes();
        let asked = seeds.map(|(peer, route)| Box::pin(self.ask(peer, route, epoch)));
        let (told, _) = select_ok(asked).await?;
        self.adopt(told, &then);
        Ok(())
    }

    /// A seed, over a connection for this alone.
    async fn ask(
        &self,
        peer: Peer,
        route: Route,
        epoch: Option<u64>,
    ) -> Result<Topology, ConnectProblem> {
        let asked = async {
            let (mut connection, _driver) = handshake::open_bare(&route).await?;
            let mut questions = redis::pipe();
            for question in topology::questions() {
                questions.add_command(question);
            }
            let answers = handshake::send(&mut connection, &questions).await?;
            for answer in &answers {
                if let Value::ServerError(error) = answer {
                    return Err(refusal(error));
                }
            }
            let told = Topology::told(answers, &peer).ok();
            let told = told.filter(|told| told.is_newer(epoch));
            told.ok_or(ConnectProblem::NoSlots)
        };
        let asked = timeout(self.nodes.settings.connect_timeout, asked).await;
        asked.unwrap_or(Err(ConnectProblem::Timeout))
    }

    /// What was told to one who knew what was known `then`.
    fn adopt(&self, mut told: Topology, then: &SlotMap) {
        // Before any of them is connected to.
        self.nodes.seeds.names.learn(mem::take(&mut told.names));
        self.change(|now| {
            let replaces = now.version > 0;
            let map = SlotMap::of(told, |peer| self.nodes.at(peer, replaces))?;
            map.after(now, then)
        });
        self.nodes.keep(self.map.load().nodes());
    }

    /// Whether each slot has a server that can be reached.
    fn is_whole(&self) -> bool {
        let map = self.map.load();
        !map.has_hole() && map.nodes().iter().all(|node| node.link.connection.is_up())
    }

    /// Each reason aloud, once per outage.
    fn report(&self, problem: &ConnectProblem, told: &mut Option<ConnectProblem>) {
        let address = &self.nodes.seeds.address;
        self.condition.failed(address, problem);
        if told.replace(problem.clone()).as_ref() == Some(problem) {
            return tracing::debug!(%address, %problem, "still cannot learn who has which slots of the cluster");
        }
        crate::util::warning::warn!(
            %address, %problem,
            "cannot learn who has which slots of the cluster, going on trying"
        );
    }
}

fn refusal(error: &ServerError) -> ConnectProblem {
    match failure::of_server(error) {
        ConnectProblem::Server { code } if code == "NOPERM" => ConnectProblem::ClusterRights,
        problem => problem,
    }
}
