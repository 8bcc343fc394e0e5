//! The servers of the cluster that are known. Each has a connection of its own, from when it is first named until
//! it has been named by nobody for a while.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use super::peer::Peer;
use super::seeds::Seeds;
use super::shard::{Shard, Shards};
use crate::store::Watch;
use crate::store::redis::connector::Role;
use crate::store::redis::deadline::Deadline;
use crate::store::redis::link::Link;
use crate::store::redis::pact::Pact;
use crate::store::redis::settings::RedisSettings;
use crate::store::redis::tracked::Tracked;
use crate::store::redis::tracking::{Steps, Tracking};
use crate::store::tracked::Keeper;
use crate::util::lock::Mutex;
use crate::util::moment::Moment;
use crate::util::tasks::Tasks;

/// For how long: a map that is older may still come.
const UNNAMED: Duration = Duration::from_secs(60);

/// One of them.
pub(in crate::store::redis) struct Node {
    pub(in crate::store::redis) link: Link,
    pub(super) tracked: Tracked,
    pub(super) peer: Peer,
}

/// See the module.
pub(super) struct Nodes {
    known: Mutex<HashMap<Peer, Known>>,
    pub(super) seeds: Arc<Seeds>,
    pub(super) settings: RedisSettings,
    pub(super) deadline: Arc<Deadline>,
    shards: Arc<Shards>,
    pact: Arc<Pact>,
    keeper: OnceLock<Arc<dyn Keeper>>,
    tasks: Weak<Tasks>,
}

struct Known {
    node: Arc<Node>,
    unnamed: Option<Moment>,
}

impl Nodes {
    pub(super) fn new(
        seeds: Seeds,
        settings: RedisSettings,
        deadline: Arc<Deadline>,
        watch: Arc<dyn Watch>,
        pact: &Arc<Pact>,
        tasks: &Arc<Tasks>,
    ) -> Self {
        Self {
            known: Mutex::default(),
            seeds: Arc::new(seeds),
            settings,
            deadline,
            shards: Arc::new(Shards::new(watch)),
            pact: Arc::clone(pact),
            keeper: OnceLock::new(),
            tasks: Arc::downgrade(tasks),
        }
    }

    /// The server there, which is connected to from now on. `None`: the store is being dropped.
    pub(super) fn at(&self, peer: &Peer, replaces: bool) -> Option<Arc<Node>> {
        let mut known = self.known.lock();
        if let Some(known) = known.get_mut(peer) {
            known.unnamed = None;
            return Some(Arc::clone(&known.node));
        }
        let node = Arc::new(self.open(peer, replaces)?);
        let opened = Known {
            node: Arc::clone(&node),
            unnamed: None,
        };
        known.insert(peer.clone(), opened);
        Some(node)
    }

    fn open(&self, peer: &Peer, replaces: bool) -> Option<Node> {
        let tasks = self.tasks.upgrade()?.beside();
        let tracking = Arc::new(Tracking::of(&self.settings, Some(Arc::clone(&self.pact))));
        if let Some(keeper) = self.keeper.get() {
            tracking.set_keeper(Arc::clone(keeper));
        }
        let steps = Steps {
            watch: Arc::new(Shard::new(Arc::clone(&self.shards), replaces)),
            tracking: Arc::clone(&tracking),
        };
        let (route, role) = (Arc::new(self.seeds.route(peer)), Role::Steps(steps));
        Some(Node {
            link: Link::start(route, &self.settings, role, &self.deadline, tasks),
            tracked: Tracked::new(tracking),
            peer: peer.clone(),
        })
    }

    /// Who keeps what is read over tracked connections, of these and of later ones.
    pub(super) fn track(&self, keeper: Arc<dyn Keeper>) {
        let known = self.known.lock();
        let keeper = self.keeper.get_or_init(|| keeper);
        for known in known.values() {
            known.node.tracked.tracking.set_keeper(Arc::clone(keeper));
        }
    }

    /// Sees to it that the tasks of all have a runtime.
    pub(super) fn tend(&self) {
        let known = self.known.lock();
        let nodes: Vec<_> = known.values().map(|it| Arc::clone(&it.node)).collect();
        drop(known);
        for node in nodes {
            node.link.connection.tasks().tend();
        }
    }

    /// Nothing of what was read from any of them may be served any more.
    pub(super) fn all_moved(&self) {
        let known = self.known.lock();
        let nodes = known.values();
        nodes.for_each(|known| known.node.tracked.tracking.moved());
    }

    /// Closes those that were not `named` for a while.
    pub(super) fn keep(&self, named: &[Arc<Node>]) {
        let is_named = |node: &Arc<Node>| named.iter().any(|named| Arc::ptr_eq(named, node));
        let stays = |known: &mut Known| {
            if is_named(&known.node) {
                known.unnamed = None;
                return true;
            }
            let since = known.unnamed.get_or_insert_with(Moment::now);
            since.elapsed() < UNNAMED
        };
        // They are dropped when nothing is locked.
        let closed: Vec<_> = self
            .known
            .lock()
            .extract_if(|_, known| !stays(known))
            .collect();
        drop(closed);
    }
}
