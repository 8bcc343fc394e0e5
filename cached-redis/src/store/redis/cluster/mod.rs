//! The servers of a Redis Cluster as one: each command goes to whom its key belongs.
//!
//! A server is [what it is alone](super::link::Link), with its connection, breaker and clock, and what it does not
//! answer costs its own keys alone. Commands on keys of several are sent to all of them at once. A server that has
//! not got the key says who has: it is asked there, once, within the same deadline. No command ever waits until it
//! is [known](refresh) who has what.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::future::join_all;
use redis::{Cmd, Value};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::connection::Connection;
use super::deadline::{Age, Deadline};
use super::dial::Way;
use super::packed::{self, Packed};
use super::pact::Pact;
use super::send::apart;
use super::settings::RedisSettings;
use super::{reply, script};
use crate::error::{ConnectProblem, Error, StoreError};
use crate::store::address::ClusterAddress;
use crate::store::health::Condition;
use crate::store::slot::slot;
use crate::store::{Answer, Watch};
use crate::util::lock::Mutex;
use crate::util::tasks::Tasks;

mod errand;
mod health;
mod local;
mod map;
mod names;
mod node;
mod peer;
mod redirect;
mod refresh;
mod scan;
mod seeds;
mod shard;
mod topology;

use errand::{Errand, deliver, grouped};
use map::SlotMap;
pub(crate) use names::AddressMap;
#[cfg(feature = "tls")]
pub(super) use names::Name;
pub(super) use node::Node;
use node::Nodes;
use redirect::{Redirect, is_doubtful};
use seeds::Seeds;

/// See the module.
pub(super) struct Cluster {
    pub(super) shared: Arc<Shared>,
    tasks: Arc<Tasks>,
}

pub(super) struct Shared {
    map: ArcSwap<SlotMap>,
    /// For whoever replaces the map.
    changing: Mutex<()>,
    nodes: Nodes,
    /// That somebody has doubted what the map says.
    doubted: Arc<Notify>,
    pact: Arc<Pact>,
    /// How the first attempt to learn it ended; `None` until then.
    tried: watch::Sender<Option<Result<(), ConnectProblem>>>,
    condition: Condition,
}

impl Cluster {
    /// Starts to learn who has what, and to connect to them.
    pub(super) fn open(
        address: ClusterAddress,
        settings: RedisSettings,
        deadline: Arc<Deadline>,
        watch: Arc<dyn Watch>,
    ) -> Result<Self, Error> {
        let tasks = Tasks::here();
        let seeds = Seeds::new(address, &settings)?;
        let doubted = Arc::default();
        let pact = Arc::new(Pact::new(&settings, &doubted));
        let shared = Arc::new(Shared {
            map: ArcSwap::from_pointee(SlotMap::unknown()),
            changing: Mutex::default(),
            nodes: Nodes::new(seeds, settings, deadline, watch, &pact, &tasks),
            doubted,
            pact,
            tried: watch::Sender::new(None),
            condition: Condition::begun(),
        });
        let begun = Arc::clone(&shared);
        tasks.house(move || refresh::refresh(Arc::clone(&begun)));
        let begun = Arc::clone(&shared);
        tasks.house(move || local::agree(Arc::clone(&begun)));
        Ok(Self { shared, tasks })
    }

    /// Waits until it is known who has what, and all were tried to connect to; why none can be used.
    pub(super) async fn first_attempt(&self) -> Option<ConnectProblem> {
        let patience = self.shared.nodes.settings.connect_timeout;
        let tried = timeout(patience, self.tried()).await;
        tried.unwrap_or_else(|_| {
            let map = self.shared.map.load();
            let is_up = map.nodes().iter().any(|node| node.link.connection.is_up());
            (!is_up).then_some(ConnectProblem::Timeout)
        })
    }

    async fn tried(&self) -> Option<ConnectProblem> {
        let mut tried = self.shared.tried.subscribe();
        // It cannot fail: the sender is here.
        let learnt = tried.wait_for(Option::is_some).await.ok()?.clone()?;
        if let Err(problem) = learnt {
            return Some(problem);
        }
        let map = self.shared.map.load_full();
        let nodes = map.nodes().iter();
        let tried = join_all(nodes.map(|node| node.link.connection.first_attempt())).await;
        tried.into_iter().reduce(Option::and).flatten()
    }

    pub(super) async fn read(&self, key: &str) -> Answer<Option<Bytes>> {
        let node = self.owner(slot(key))?;
        let age = self.shared.nodes.deadline.age();
        match node.link.read(key).await {
            Ok(entry) => Ok(entry),
            Err(error) => {
                let command = redis::cmd("GET").arg(key).clone();
                apart(self.called_there(command, age, node, error)).await
            }
        }
    }

    /// Asks what has a string, a number or nothing as its answer.
    pub(super) async fn call(&self, command: &Packed) -> Answer<Option<Bytes>> {
        let node = self.owner(slot(script::key(command.parts())))?;
        let age = self.shared.nodes.deadline.age();
        match node.link.call(command).await {
            Ok(answer) => Ok(answer),
            Err(error) => apart(self.called_there(command.to_cmd(), age, node, error)).await,
        }
    }

    /// What it was not told by the `node` it asked first.
    async fn called_there(
        &self,
        command: Cmd,
        age: Age<'_>,
        node: Arc<Node>,
        error: StoreError,
    ) -> Answer<Option<Bytes>> {
        let mut answers = vec![Err(error)];
        self.follow(&[command], &[Some(node)], &mut answers, age)
            .await;
        reply::string(answers.remove(0)?)
    }

    /// Each server is asked for its own.
    pub(super) async fn read_all(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        let groups = grouped(self.owned(keys)?.into_iter());
        let asked = groups.iter().map(async |(node, places)| {
            let keys: Vec<_> = places.iter().map(|at| keys[*at]).collect();
            match node.link.read_all(&keys).await {
                Ok(entries) => Ok(entries),
                Err(error) => self.read_each(&keys, node, error).await,
            }
        });
        let mut entries = vec![None; keys.len()];
        for ((_, places), answers) in groups.iter().zip(join_all(asked).await) {
            for (at, answer) in places.iter().zip(answers?) {
                entries[*at] = answer;
            }
        }
        Ok(entries)
    }

    /// The servers of `keys`, with the place of each.
    fn owned(&self, keys: &[&str]) -> Answer<Vec<(Arc<Node>, usize)>> {
        let owned = |(at, key): (usize, &&str)| Ok((self.owner(slot(key))?, at));
        keys.iter().enumerate().map(owned).collect()
    }

    /// One of them may have moved, or be on its way.
    async fn read_each(
        &self,
        keys: &[&str],
        node: &Node,
        error: StoreError,
    ) -> Answer<Vec<Option<Bytes>>> {
        let answer = Err::<(), _>(error.clone());
        self.note(&answer);
        match Redirect::of(&answer, &node.peer) {
            Some(redirect) => drop(self.shared.learn_from(&redirect)),
            None if redirect::is_of_some(&error) || error == StoreError::WrongType => {}
            None => return Err(error),
        }
        let read = |key: &&str| redis::cmd("GET").arg(key).clone();
        let answers = self.send(keys.iter().map(read).collect()).await.into_iter();
        let entry = |answer| match answer {
            // As where they are read together.
            Err(StoreError::WrongType) => Ok(None),
            answer => reply::bytes(answer?),
        };
        answers.map(entry).collect()
    }

    pub(super) async fn ask(&self, command: &Cmd) -> Answer<Value> {
        let answer = self.send(vec![command.clone()]).await.pop();
        answer.unwrap_or(Err(StoreError::Answer))
    }

    /// The answer to each command, in their order, though they are sent to all servers at once.
    pub(super) async fn send(&self, commands: Vec<Cmd>) -> Vec<Answer<Value>> {
        let age = self.shared.nodes.deadline.age();
        let map = self.shared.map.load_full();
        let owner = |command| {
            map.owner(slot(script::key(packed::parts(command))))
                .cloned()
        };
        let asked: Vec<_> = commands.iter().map(owner).collect();
        let errands = asked.iter().enumerate();
        let errands = errands.filter_map(|(at, node)| {
            let (node, is_once) = (Arc::clone(node.as_ref()?), false);
            Some(Errand { at, node, is_once })
        });
        let mut answers = vec![Err(StoreError::Unavailable); commands.len()];
        for (at, answer) in deliver(errands, &commands).await {
            answers[at] = answer;
        }
        self.follow(&commands, &asked, &mut answers, age).await;
        answers
    }

    /// What must stay together, where `key` is. While that is on its way it is refused.
    pub(super) async fn send_to(&self, key: &str, commands: Vec<Cmd>) -> Vec<Answer<Value>> {
        for is_last in [false, true] {
            let Ok(node) = self.owner(slot(key)) else {
                break;
            };
            let answers = node.link.send(commands.iter().cloned()).await;
            answers.iter().for_each(|answer| self.note(answer));
            let redirect = answers
                .iter()
                .find_map(|answer| Redirect::of(answer, &node.peer));
            match redirect {
                None => return answers,
                Some(redirect) if !redirect.is_once && !is_last => {
                    self.shared.learn_from(&redirect);
                }
                Some(_) => break,
            }
        }
        vec![Err(StoreError::Unavailable); commands.len()]
    }

    /// Goes on with those that were answered by a redirect. Each is followed once.
    async fn follow(
        &self,
        commands: &[Cmd],
        asked: &[Option<Arc<Node>>],
        answers: &mut [Answer<Value>],
        mut age: Age<'_>,
    ) {
        let mut errands = Vec::new();
        for (at, (answer, asked)) in answers.iter().zip(asked).enumerate() {
            self.note(answer);
            let redirect = asked
                .as_ref()
                .and_then(|asked| Redirect::of(answer, &asked.peer));
            errands.extend(redirect.and_then(|redirect| {
                let node = self.shared.learn_from(&redirect)?;
                Some(Errand {
                    at,
                    node,
                    is_once: redirect.is_once,
                })
            }));
        }
        answers.iter_mut().for_each(redirect::give_up);
        if errands.is_empty() {
            return;
        }
        let places: Vec<_> = errands.iter().map(|errand| errand.at).collect();
        let delivery = pin!(deliver(errands.into_iter(), commands));
        match self.shared.nodes.deadline.within(&mut age, delivery).await {
            Ok(again) => {
                for (at, mut answer) in again {
                    self.note(&answer);
                    redirect::give_up(&mut answer);
                    answers[at] = answer;
                }
            }
            Err(late) => {
                for at in places {
                    answers[at] = Err(late.clone());
                }
            }
        }
    }

    /// Those that have slots.
    pub(super) fn nodes(&self) -> Vec<Arc<Node>> {
        self.shared.map.load().nodes().to_vec()
    }

    fn owner(&self, slot: u16) -> Answer<Arc<Node>> {
        let owner = self.shared.map.load().owner(slot).cloned();
        owner.ok_or_else(|| self.nobody())
    }

    /// Nobody is known to have it.
    fn nobody(&self) -> StoreError {
        self.doubt();
        StoreError::Unavailable
    }

    /// Has it learnt anew who has what, if an answer shows that what is known may be outdated.
    fn note<T>(&self, answer: &Answer<T>) {
        if is_doubtful(answer) {
            self.doubt();
        }
    }

    fn doubt(&self) {
        self.tasks.tend();
        self.shared.doubted.notify_one();
    }

    /// The connection to the server of `key`; `None`: it is not known.
    pub(super) fn at<T>(&self, key: &str, look: impl FnOnce(&Connection) -> T) -> Option<T> {
        let map = self.shared.map.load();
        map.owner(slot(key)).map(|node| look(&node.link.connection))
    }

    /// The epoch of `key`. 0 while it may be at either of two servers.
    pub(super) fn epoch(&self, key: &str) -> u32 {
        let (map, slot) = (self.shared.map.load(), slot(key));
        if map.is_moving(slot) {
            return 0;
        }
        let owner = map.owner(slot);
        owner.map_or(0, |node| node.link.connection.epoch())
    }

    /// To the server of `slot`.
    pub(super) fn way(&self, slot: u16) -> Way {
        let shared = Arc::clone(&self.shared);
        Box::new(move || {
            // Whoever asks has lost a connection.
            shared.doubted.notify_one();
            let map = shared.map.load();
            let node = map.owner(slot).ok_or(ConnectProblem::NoSlots)?;
            Ok(Arc::clone(&node.link.route))
        })
    }

    pub(super) fn tasks(&self) -> &Arc<Tasks> {
        &self.tasks
    }
}

impl Shared {
    /// Replaces the map, if `next` makes one. Who has lost a slot is not told any more of what stands there.
    fn change(&self, next: impl FnOnce(&SlotMap) -> Option<SlotMap>) {
        let _changing = self.changing.lock();
        let now = self.map.load_full();
        if let Some(next) = next(&now) {
            let next = Arc::new(next);
            self.map.store(Arc::clone(&next));
            now.losers(&next)
                .for_each(|node| node.tracked.tracking.moved());
        }
    }

    /// What the answer of a server says of others.
    fn learn_of<T>(&self, answer: &Answer<T>, asked: &Node) {
        if is_doubtful(answer) {
            self.doubted.notify_one();
        }
        if let Some(redirect) = Redirect::of(answer, &asked.peer) {
            self.learn_from(&redirect);
        }
    }

    /// Takes it over into the map; the server that it names.
    fn learn_from(&self, redirect: &Redirect) -> Option<Arc<Node>> {
        let node = self.nodes.at(&redirect.to, true)?;
        self.change(|map| match redirect.is_once {
            true => map.moving(redirect.slot),
            false => map.moved(redirect.slot, &node),
        });
        Some(node)
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.nodes.seeds.address.fmt(f)
    }
}

#[cfg(test)]
mod tests;
