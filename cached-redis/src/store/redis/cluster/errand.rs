//! Sending commands to several servers at once.

use std::sync::Arc;

use futures_util::future::join_all;
use redis::{Cmd, Value};

use super::node::Node;
use crate::store::Answer;
use crate::store::redis::script;

/// A command on its way to a server.
pub(super) struct Errand {
    /// Its place among the commands.
    pub(super) at: usize,
    pub(super) node: Arc<Node>,
    /// Whether the server is only about to get what the command is for, and does it if it is told so.
    pub(super) is_once: bool,
}

/// The answers to some of `commands`, each with its place.
pub(super) async fn deliver(
    errands: impl Iterator<Item = Errand>,
    commands: &[Cmd],
) -> Vec<(usize, Answer<Value>)> {
    let groups = grouped(errands.map(|errand| (Arc::clone(&errand.node), errand)));
    let all = groups.into_iter().map(async |(node, mut errands)| {
        // So no write ends between a permission and what it is for: each is of an even number of commands.
        errands.sort_by_key(|errand| !errand.is_once);
        let sent = errands.iter().flat_map(|errand| errand.commands(commands));
        let mut answers = node.link.send(sent).await.into_iter();
        let answered = errands.iter().filter_map(|errand| {
            let skipped = usize::from(errand.is_once);
            Some((errand.at, answers.nth(skipped)?))
        });
        answered.collect::<Vec<_>>()
    });
    join_all(all).await.into_iter().flatten().collect()
}

impl Errand {
    /// Nothing comes between what is sent in one write. A script is sent in full: to be told that it is not known
    /// would use up the permission.
    fn commands(&self, commands: &[Cmd]) -> impl Iterator<Item = Cmd> + use<> {
        let command = &commands[self.at];
        match self.is_once {
            true => vec![redis::cmd("ASKING"), script::without_hash(command)].into_iter(),
            false => vec![command.clone()].into_iter(),
        }
    }
}

/// What is for the same server.
pub(super) fn grouped<T>(items: impl Iterator<Item = (Arc<Node>, T)>) -> Vec<(Arc<Node>, Vec<T>)> {
    let mut groups = Vec::<(Arc<Node>, Vec<T>)>::new();
    for (node, item) in items {
        match groups
            .iter_mut()
            .find(|(known, _)| Arc::ptr_eq(known, &node))
        {
            Some((_, group)) => group.push(item),
            None => groups.push((node, vec![item])),
        }
    }
    groups
}
