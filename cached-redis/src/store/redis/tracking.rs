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
//! asked with each sign of life: if not, all is dropped, and it is agreed on anew.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value};
use tokio::time::Instant;

use super::agreement::Agreement;
use super::facts::Identity;
use super::handshake;
use super::settings::RedisSettings;
use crate::error::ConnectProblem;
use crate::store::Watch;
use crate::store::tracked::Keeper;
use crate::util::lock::Mutex;
use crate::util::moment::Moment;

/// After so long without a read nothing is asked more often than elsewhere.
const IDLE: Duration = Duration::from_secs(60);

/// What the connection is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing: there is none, it leads elsewhere, or it is to be made anew.
    #[default]
    Down,
    /// Changes are announced there.
    Announces,
    /// The server announces none.
    Silent,
    /// Nothing may be kept, since less was agreed on.
    Refused,
}

/// See the module.
pub(super) struct Tracking {
    agreement: Agreement,
    keeper: OnceLock<Arc<dyn Keeper>>,
    state: Mutex<State>,
    /// When it was last read over.
    used: AtomicU64,
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
}

impl Tracking {
    pub(super) fn of(settings: &RedisSettings) -> Self {
        let key = settings.staleness_key.clone();
        Self {
            agreement: Agreement::new(key, settings.staleness),
            keeper: OnceLock::new(),
            state: Mutex::default(),
            used: AtomicU64::new(0),
            told: Once::new(),
        }
    }

    /// Who is told from now on, unless somebody is told already.
    pub(super) fn set_keeper(&self, keeper: Arc<dyn Keeper>) {
        let _ = self.keeper.set(keeper);
    }

    /// It is read over at this moment.
    pub(super) fn used(&self, now: Moment) {
        self.used.store(now.0, Ordering::Relaxed);
    }

    /// Nothing is kept.
    pub(super) fn is_on_a_cluster(&self) {
        self.told.call_once(|| {
            crate::util::warning::warn!(
                "on a Redis Cluster nothing is kept in memory yet: functions with `local` ask it each time"
            );
        });
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.keeper.get().is_some()
    }

    pub(super) fn standing(&self) -> Standing {
        let state = self.state.lock();
        match state.standing {
            Standing::Announces if !state.server.is(&state.steps) => Standing::Down,
            standing => standing,
        }
    }

    /// Whether what was sent at `sent` and is answered has shown something to be kept.
    pub(super) fn vouches(&self, sent: Moment) -> bool {
        self.hear(sent) == Standing::Announces
    }

    fn hear(&self, sent: Moment) -> Standing {
        let standing = self.standing();
        if standing == Standing::Announces {
            self.tell(|keeper| keeper.answered(sent));
        }
        standing
    }

    /// Whether another connection may be of more use. While nobody knows where the steps go, none is.
    pub(super) fn is_useless(&self) -> bool {
        let state = self.state.lock();
        let (server, steps) = (&state.server, &state.steps);
        match state.standing {
            Standing::Down => true,
            Standing::Announces => steps.is(steps) && !server.is(steps),
            Standing::Silent | Standing::Refused => false,
        }
    }

    fn tell(&self, tell: impl FnOnce(&dyn Keeper)) {
        if let Some(keeper) = self.keeper.get() {
            tell(&**keeper);
        }
    }

    /// Agrees on the staleness and, where it can hear them, asks for announcements.
    pub(super) async fn begin(
        &self,
        connection: &mut MultiplexedConnection,
        hears: bool,
    ) -> Result<Standing, ConnectProblem> {
        let may_write = self.agreement.propose(connection).await?;
        self.state.lock().is_outdated = false;
        let mut commands = redis::pipe();
        if hears {
            commands.cmd("CLIENT").arg("TRACKING").arg("ON");
        }
        // Only now: it may be gone again.
        self.agreement.ask(&mut commands);
        let answers = handshake::send(connection, &commands).await?;
        let announces = hears && answers.first() == Some(&Value::Okay);
        Ok(match answers.last() {
            Some(Value::Nil) if may_write => Standing::Down,
            stands if !self.agreement.is_met(stands)? => Standing::Refused,
            _ if announces => Standing::Announces,
            _ => Standing::Silent,
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
                self.tell(|keeper| keeper.changed(key));
            }
        }
    }

    /// What was agreed on is gone with all else.
    fn outdated(&self) {
        let mut state = self.state.lock();
        state.standing = Standing::Down;
        state.is_outdated = true;
        drop(state);
        self.tell(Keeper::flushed);
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
        self.tell(Keeper::lost);
    }

    fn period(&self) -> Duration {
        let idle = Moment(self.used.load(Ordering::Relaxed)).elapsed();
        match idle < IDLE {
            true => self.agreement.staleness / 3,
            false => Duration::MAX,
        }
    }

    fn answered(&self, sent: Moment) -> bool {
        self.hear(sent);
        !self.is_useless()
    }

    fn agreement(&self) -> Option<&str> {
        Some(&self.agreement.key)
    }

    /// It may be agreed on by now, too.
    fn agrees(&self, number: u64) -> bool {
        let is_refused = self.state.lock().standing == Standing::Refused;
        (number < self.agreement.least()) == is_refused
    }
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
        self.tracking.tell(Keeper::moved);
        self.watch.connected(changed);
    }

    /// Another server may be the one that counts now.
    fn lost(&self, seen: Instant) {
        self.tracking.steps_go_to(&Identity::default());
        self.watch.lost(seen);
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_asked_no_more_often_than_any_other() {
        let tracking = Tracking::of(&RedisSettings {
            staleness: Duration::from_secs(3),
            ..RedisSettings::default()
        });
        tracking.used(Moment::now());
        assert_eq!(tracking.period(), Duration::from_secs(1));
        tokio::time::advance(IDLE).await;
        assert_eq!(tracking.period(), Duration::MAX);
    }
}
