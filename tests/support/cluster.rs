//! A Redis Cluster for one test: primaries that share the slots out, and replicas if they are asked for.
//!
//! All of it is done by plain commands, so that a slot can be left half moved, and a replica can take over
//! whoever agrees.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use redis::FromRedisValue;

use super::RedisServer;

pub(crate) const SLOTS: u16 = 16_384;

/// Agreement is by gossip, which takes about two seconds.
const AGREED: Duration = Duration::from_secs(60);

/// After how many milliseconds of silence a node counts as down, where nobody is to be elected: longer than a busy
/// machine keeps one from answering. Those who are cut off from most of the others refuse all commands.
const NODE_TIMEOUT: &str = "15000";

/// See the module.
pub(crate) struct Cluster {
    nodes: Vec<RedisServer>,
    killed: BTreeSet<usize>,
}

impl Cluster {
    /// Starts so many primaries, each with as many slots as the others.
    pub(crate) fn start(primaries: usize) -> Self {
        let cluster = Self {
            nodes: nodes(primaries),
            killed: BTreeSet::new(),
        };
        let share = usize::from(SLOTS).div_ceil(primaries);
        for (at, node) in cluster.nodes.iter().enumerate() {
            let end = usize::from(SLOTS).min((at + 1) * share) - 1;
            let (first, last) = ((at * share).to_string(), end.to_string());
            node.run::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            // Else each thinks that it has won its slots in the same vote.
            node.run::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]);
        }
        let nodes = cluster.nodes.iter();
        nodes.for_each(|node| cluster.introduce(node));
        cluster.agree();
        cluster
    }

    /// Adds a replica to each of the nodes there are, behind them in the same order.
    pub(crate) fn with_replicas(mut self) -> Self {
        let primaries = self.nodes.len();
        let replicas = nodes(primaries);
        replicas.iter().for_each(|node| self.introduce(node));
        self.nodes.extend(replicas);
        self.agree();
        for primary in 0..primaries {
            let id = self.id(primary);
            self.nodes[primaries + primary].run::<()>(&["CLUSTER", "REPLICATE", &id]);
        }
        (primaries..self.nodes.len()).for_each(|replica| self.follows(replica));
        self
    }

    /// To each of the others: what they would tell each other later, they know at once.
    fn introduce(&self, node: &RedisServer) {
        let others = self.nodes.iter().map(RedisServer::port);
        for port in others.filter(|port| *port != node.port()) {
            node.run::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port.to_string()]);
        }
    }

    /// Waits until all know all, and who has which slots.
    pub(crate) fn agree(&self) {
        let all = format!("cluster_known_nodes:{}\r", self.nodes.len());
        let slots = format!("cluster_slots_ok:{SLOTS}\r");
        let knows = |node: &RedisServer| {
            let info: String = node.run(&["CLUSTER", "INFO"]);
            let mut lines = ["cluster_state:ok\r", &all, &slots].into_iter();
            lines.all(|line| info.contains(line))
        };
        until("all nodes agree", || self.nodes.iter().all(knows));
    }

    /// The addresses of all nodes, as a user writes them.
    pub(crate) fn url(&self) -> String {
        let address = |node: &RedisServer| format!("127.0.0.1:{}", node.port());
        let all: Vec<_> = self.nodes.iter().map(address).collect();
        format!("redis+cluster://{}", all.join(","))
    }

    pub(crate) fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    fn alive(&self) -> impl Iterator<Item = &RedisServer> {
        let all = self.nodes.iter().enumerate();
        all.filter_map(|(at, node)| (!self.killed.contains(&at)).then_some(node))
    }

    /// Lets a replica take over when most of the others have found out that its primary is down.
    pub(crate) fn may_be_elected(&self, replica: usize) {
        let set = |node: &RedisServer, what, value| node.run::<()>(&["CONFIG", "SET", what, value]);
        for node in self.alive() {
            set(node, "cluster-node-timeout", "1000");
        }
        set(&self.nodes[replica], "cluster-replica-no-failover", "no");
    }

    /// Ends a node at once, as `kill -9` does.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
        self.killed.insert(node);
    }

    /// Starts a killed node again, empty; it knows the others and its slots.
    pub(crate) fn restart(&mut self, node: usize) {
        self.nodes[node].restart();
        self.killed.remove(&node);
    }

    pub(crate) fn slot(&self, key: &str) -> u16 {
        let node = self.alive().next().expect("a node that is there");
        node.run(&["CLUSTER", "KEYSLOT", key])
    }

    /// Which node has the slot of `key`, as that node says.
    pub(crate) fn owner(&self, key: &str) -> usize {
        let slot = self.slot(key);
        let owns = |at: &usize| !self.killed.contains(at) && owns(&self.nodes[*at], slot);
        let owner = (0..self.nodes.len()).find(owns);
        owner.expect("a node that has the slot")
    }

    /// Runs one command on the node that has the slot of its first key.
    pub(crate) fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.nodes[self.owner(words[1])].run(words)
    }

    fn id(&self, node: usize) -> String {
        self.nodes[node].run(&["CLUSTER", "MYID"])
    }

    /// Begins to move a slot, none of whose keys have moved yet: who asks its owner for another one is
    /// sent on with `ASK`.
    pub(crate) fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        let set = |node: usize, how, other| {
            let id = self.id(other);
            self.nodes[node].run::<()>(&["CLUSTER", "SETSLOT", &slot, how, &id]);
        };
        set(to, "IMPORTING", from);
        set(from, "MIGRATING", to);
    }

    /// Moves the keys of a slot that is being moved, and ends its move: the old owner is the last to
    /// hear of it.
    pub(crate) fn end_move(&self, slot: u16, from: usize, to: usize) {
        self.move_keys(slot, from, to);
        let (slot, id) = (slot.to_string(), self.id(to));
        for node in [to, from] {
            self.nodes[node].run::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        }
    }

    fn move_keys(&self, slot: u16, from: usize, to: usize) {
        let (slot, port) = (slot.to_string(), self.nodes[to].port().to_string());
        loop {
            let listed = ["CLUSTER", "GETKEYSINSLOT", &slot, "100"];
            let keys: Vec<String> = self.nodes[from].run(&listed);
            if keys.is_empty() {
                return;
            }
            let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            migrate.extend(keys.iter().map(String::as_str));
            self.nodes[from].run::<()>(&migrate);
        }
    }

    /// Moves a slot with all of its keys.
    pub(crate) fn move_slot(&self, slot: u16, from: usize, to: usize) {
        self.begin_move(slot, from, to);
        self.end_move(slot, from, to);
    }

    /// Whether the servers can move a slot as a whole.
    pub(crate) fn moves_whole_slots(&self) -> bool {
        let known = ["COMMAND", "INFO", "cluster|migrateslots"];
        let known: Vec<redis::Value> = self.nodes[0].run(&known);
        known != [redis::Value::Nil]
    }

    /// Lets the servers move a slot as a whole; waits until its old owner knows that it is gone.
    pub(crate) fn move_whole_slot(&self, slot: u16, from: usize, to: usize) {
        let (name, id) = (slot.to_string(), self.id(to));
        let words = [
            "CLUSTER",
            "MIGRATESLOTS",
            "SLOTSRANGE",
            &name,
            &name,
            "NODE",
            &id,
        ];
        self.nodes[from].run::<()>(&words);
        until("the slot is gone", || !owns(&self.nodes[from], slot));
    }

    /// Waits until a node is a replica that has all of its primary.
    pub(crate) fn follows(&self, node: usize) {
        until("the replica follows", || {
            let replication: String = self.nodes[node].run(&["INFO", "replication"]);
            replication.contains("master_link_status:up")
        });
    }

    /// Stops a replica and ends its connection: of what its primary does from now on it hears nothing.
    pub(crate) fn cut_off(&self, replica: usize, primary: usize) {
        self.nodes[replica].freeze();
        self.nodes[primary].run::<()>(&["CLIENT", "KILL", "TYPE", "replica"]);
    }

    /// Lets a replica take the place of its primary, whoever agrees; waits until all know.
    pub(crate) fn take_over(&self, replica: usize) {
        self.nodes[replica].thaw();
        let id = self.id(replica);
        self.nodes[replica].run::<()>(&["CLUSTER", "FAILOVER", "TAKEOVER"]);
        let knows = |node: &RedisServer| {
            let nodes: String = node.run(&["CLUSTER", "NODES"]);
            let mut lines = nodes.lines().filter(|line| line.starts_with(&id));
            lines.any(|line| line.contains("master") && line.split(' ').count() > 8)
        };
        until("all know the new primary", || self.alive().all(knows));
    }
}

fn nodes(count: usize) -> Vec<RedisServer> {
    const ARGS: &[&str] = &[
        "--cluster-enabled",
        "yes",
        "--cluster-config-file",
        "nodes.conf",
        "--cluster-node-timeout",
        NODE_TIMEOUT,
        "--cluster-require-full-coverage",
        "no",
        "--cluster-replica-no-failover",
        "yes",
    ];
    let started = (0..count).map(|_| thread::spawn(|| RedisServer::start_with(ARGS)));
    let started: Vec<_> = started.collect();
    let ended = started.into_iter().map(thread::JoinHandle::join);
    ended.map(|node| node.expect("a node starts")).collect()
}

fn owns(node: &RedisServer, slot: u16) -> bool {
    let nodes: String = node.run(&["CLUSTER", "NODES"]);
    let own = nodes.lines().find(|line| line.contains("myself,master"));
    // Behind eight fields, ranges of slots, and in brackets those that are being moved.
    let ranges = own.into_iter().flat_map(|line| line.split(' ').skip(8));
    let mut ranges = ranges.filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    ranges.any(|range| range.contains(&slot))
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + AGREED;
    while !is_so() {
        assert!(Instant::now() < end, "still waiting: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
