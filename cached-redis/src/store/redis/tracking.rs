//! What is known of the connection on which the server announces changes of what was read there.
//!
//! `CLIENT TRACKING` is in its default mode: own writes are announced as well. With NOLOOP a key that was
//! changed over this connection would be forgotten without a word. An announcement is handed on before any
//! answer that the server sent after it.
//!
//! What is read there counts only while both connections show the same life of the same server, whose epoch
//! is then that of the steps. A demoted primary goes on answering, and knows nothing of what is invalidated
//! elsewhere; so the connection is asked for its server as that of the steps is, and more often.
//!
//! How long something may be served unannounced is [agreed on](super::agreement): whoever asks for more than what
//! stands there keeps nothing, since those who wait it out would wait too short a time. Whether it still stands is
//! asked with each sign of life: if not, all is dropped, and it is agreed on anew. Those of a cluster have a [pact].
//!
//! A server of a cluster may answer for a slot that others have by now. So there an answer to a read is no sign of
//! life: that is the question how far the server knows of elections and moves. Whatever is new there voids all that
//! was read from it, and so does each key that it has not got.

use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, PushInfo, PushKind, Value};
use tokio::time::Instant;

use super::agreement::{Agreement, Standing, is_refusal};
use super::facts::Identity;
use super::pact::{Pact, Use};
use super::settings::RedisSettings;
use super::{failure, handshake, monitor};
use crate::error::ConnectProblem;
use crate::store::Watch;
use crate::store::tracked::{Keeper, Lane, Seen};
use crate::util::lock::Mutex;
use crate::util::moment::Moment;

/// See the module.
pub(super) struct Tracking {
    agreement: Agreement,
    /// With the others of a cluster; `None`: it is the only one.
    pact: Option<Arc<Pact>>,
    keeper: OnceLock<Arc<dyn Keeper>>,
    lane: Arc<Lane>,
    state: Mutex<State>,
    used: Use,
    told: Once,
}

#[derive(Default)]
struct State {
    standing: Standing,
    /// Whether what was agreed on last may be gone, or was agreed on elsewhere.
    is_outdated: bool,
    /// Where it leads to.
    server: Identity,
    /// Where the steps go.
    steps: Identity,
    /// How far a server of a cluster has heard of elections and moves.
    epoch: Option<u64>,
}

impl Tracking {
    pub(super) fn of(settings: &RedisSettings, pact: Option<Arc<Pact>>) -> Self {
        Self {
            agreement: Agreement::of(settings),
            pact,
            keeper: OnceLock::new(),
            lane: Arc::default(),
            state: Mutex::default(),
            used: Use::default(),
            told: Once::new(),
        }
    }

    /// Who is told from now on, unless somebody is told already.
    pub(super) fn set_keeper(&self, keeper: Arc<dyn Keeper>) {
        self.keeper.get_or_init(|| {
            keeper.opened(&self.lane);
            keeper
        });
    }

    /// It is read over at this moment; to be noted before anything is sent.
    pub(super) fn used(&self) -> Seen {
        let seen = Seen::now(&self.lane);
        self.used.noted(seen.sent);
        if let Some(pact) = &self.pact {
            pact.used(seen.sent);
        }
        seen
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.keeper.get().is_some()
    }

    pub(super) fn standing(&self) -> Standing {
        let state = self.state.lock();
        let pact = self
            .pact
            .as_ref()
            .map_or(Standing::Announces, |pact| pact.standing());
        match state.standing {
            _ if pact != Standing::Announces => pact,
            Standing::Announces if !state.server.is(&state.steps) => Standing::Down,
            standing => standing,
        }
    }

    /// Whether what was sent at `sent` and is answered has shown something to be kept.
    pub(super) fn vouches(&self, sent: Moment) -> bool {
        match self.pact {
            None => self.hear(sent),
            Some(_) => self.standing() == Standing::Announces,
        }
    }

    fn hear(&self, sent: Moment) -> bool {
        let announces = self.standing() == Standing::Announces;
        if announces {
            self.tell(|keeper, lane| keeper.answered(lane, sent));
        }
        announces
    }

    /// The same of a server of a cluster.
    fn hear_of(&self, epoch: Option<u64>, sent: Moment) {
        let known = std::mem::replace(&mut self.state.lock().epoch, epoch);
        match epoch.is_some() && epoch == known {
            true => drop(self.hear(sent)),
            false => {
                self.moved();
                self.pact.iter().for_each(|pact| pact.doubted.notify_one());
            }
        }
    }

    /// Others may have by now what was read there.
    pub(super) fn moved(&self) {
        self.tell(|keeper, lane| keeper.moved(lane));
    }

    /// Whether another connection may be of more use. While nobody knows where the steps go, none is.
    pub(super) fn is_useless(&self) -> bool {
        let state = self.state.lock();
        let (server, steps) = (&state.server, &state.steps);
        match state.standing {
            Standing::Down => true,
            Standing::Announces => steps.is(steps) && !server.is(steps),
            Standing::Silent | Standing::Refused | Standing::Unagreed => false,
        }
    }

    fn tell(&self, tell: impl FnOnce(&dyn Keeper, &Lane)) {
        if let Some(keeper) = self.keeper.get() {
            tell(&**keeper, &self.lane);
        }
    }

    /// Agrees on the staleness and, where it can hear them, asks for announcements.
    pub(super) async fn begin(
        &self,
        connection: &mut MultiplexedConnection,
        hears: bool,
    ) -> Result<Standing, ConnectProblem> {
        if self.pact.is_some() {
            return self.begin_in_a_cluster(connection, hears).await;
        }
        let may_write = self.propose(connection).await?;
        self.state.lock().is_outdated = false;
        let mut commands = announce(hears);
        // Only now: it may be gone again.
        commands.add_command(self.agreement.question());
        let answers = handshake::send(connection, &commands).await?;
        let announces = hears && answers.first() == Some(&Value::Okay);
        Ok(match answers.last() {
            Some(Value::Nil) if may_write => Standing::Down,
            stands if !self.agreement.is_met(stands)? => Standing::Refused,
            _ if announces => Standing::Announces,
            _ => Standing::Silent,
        })
    }

    /// Asks for it where nothing stands. `false`: that may not be written.
    async fn propose(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<bool, ConnectProblem> {
        // A server that is full, or a login that may only read, can be asked for what stands.
        let mut ask = redis::pipe();
        ask.add_command(self.agreement.question());
        let stands = handshake::send(connection, &ask).await?;
        if stands.first() != Some(&Value::Nil) {
            return Ok(true);
        }
        let mut propose = redis::pipe();
        propose.add_command(self.agreement.proposal());
        match handshake::send(connection, &propose).await?.first() {
            Some(Value::ServerError(error)) if is_refusal(error.code()) => Ok(false),
            Some(Value::ServerError(error)) => Err(failure::of_server(error)),
            _ => Ok(true),
        }
    }

    async fn begin_in_a_cluster(
        &self,
        connection: &mut MultiplexedConnection,
        hears: bool,
    ) -> Result<Standing, ConnectProblem> {
        self.state.lock().is_outdated = false;
        let mut commands = announce(hears);
        commands.add_command(monitor::elections());
        let mut answers = handshake::send(connection, &commands).await?;
        let epoch = answers.pop().and_then(monitor::epoch);
        self.state.lock().epoch = epoch;
        Ok(match hears && answers.first() == Some(&Value::Okay) {
            true => Standing::Announces,
            false => Standing::Silent,
        })
    }

    /// To be called for what a server says without being asked.
    pub(super) fn announced(&self, push: &PushInfo) {
        if push.kind != PushKind::Invalidate {
            return;
        }
        let Some(Value::Array(keys)) = push.data.first() else {
            return self.outdated();
        };
        for key in keys {
            if let Value::BulkString(key) = key {
                self.tell(|keeper, _| keeper.changed(key));
            }
        }
    }

    /// What was agreed on is gone with all else.
    fn outdated(&self) {
        let mut state = self.state.lock();
        state.standing = Standing::Down;
        state.is_outdated = true;
        drop(state);
        self.tell(|keeper, lane| keeper.flushed(lane));
    }

    /// Before the connection can be used.
    pub(super) fn leads_to(&self, server: &Identity, standing: Standing) {
        let mut state = self.state.lock();
        state.server.clone_from(server);
        state.standing = match standing {
            _ if state.is_outdated => Standing::Down,
            // One that says nothing of itself is never known to be the same.
            Standing::Announces if !server.is(server) => Standing::Silent,
            standing => standing,
        };
        let is_silent = state.standing == Standing::Silent;
        drop(state);
        if is_silent {
            self.told.call_once(|| silent(self.agreement.least()));
        }
    }

    /// Where the steps are about to go: what was agreed on elsewhere is worth nothing there. Where changes are
    /// announced, servers are compared.
    fn steps_go_to(&self, server: &Identity) {
        let mut state = self.state.lock();
        state.steps.clone_from(server);
        state.is_outdated = true;
        if matches!(state.standing, Standing::Silent | Standing::Refused) {
            state.standing = Standing::Down;
        }
    }
}

impl Watch for Tracking {
    fn connected(&self, _changed: bool) {}

    fn lost(&self, _seen: Instant) {
        self.state.lock().standing = Standing::Down;
        self.tell(|keeper, lane| keeper.lost(lane));
    }

    fn period(&self) -> Duration {
        self.used.period(self.agreement.staleness)
    }

    fn answered(&self, sent: Moment, epoch: Option<u64>) -> bool {
        match self.pact {
            None => drop(self.hear(sent)),
            Some(_) => self.hear_of(epoch, sent),
        }
        !self.is_useless()
    }

    fn agreement(&self) -> Option<&str> {
        self.pact.is_none().then_some(&self.agreement.key)
    }

    /// It may be agreed on by now, too.
    fn agrees(&self, number: u64) -> bool {
        let is_refused = self.state.lock().standing == Standing::Refused;
        (number < self.agreement.least()) == is_refused
    }
}

fn announce(hears: bool) -> Pipeline {
    let mut commands = redis::pipe();
    if hears {
        commands.cmd("CLIENT").arg("TRACKING").arg("ON");
    }
    commands
}

fn silent(staleness: u64) {
    crate::util::warning::warn!(
        staleness,
        "the store does not announce changes (RESP3, `INFO` and `CLIENT TRACKING` are needed): what is kept \
         in memory lives for `local_staleness`, in ms, at most"
    );
}

/// Who must know of the connection of the steps.
pub(super) struct Steps {
    pub(super) watch: Arc<dyn Watch>,
    pub(super) tracking: Arc<Tracking>,
}

impl Watch for Steps {
    fn recognised(&self, server: &Identity, database: u32) {
        self.tracking.steps_go_to(server);
        self.watch.recognised(server, database);
    }

    /// The epoch may be another one, whatever the server.
    fn connected(&self, changed: bool) {
        self.tracking.moved();
        self.watch.connected(changed);
    }

    /// Another server may be the one that counts now.
    fn lost(&self, seen: Instant) {
        self.tracking.steps_go_to(&Identity::default());
        self.watch.lost(seen);
    }
}
