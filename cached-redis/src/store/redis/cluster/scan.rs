//! A scan over all servers, one after the other.
//!
//! Each step of it is of the same map: if that has changed, or a slot is on its way, keys may have moved past the
//! scan, and it fails. So it does where a server is a replica by now: it answers all the same.
//!
//! A map lags, and nobody is sent on by a slot whose keys he does not ask for. So before the first scan and after the
//! last one the servers themselves are asked for their slots: what is the same then has not moved in between.

use std::sync::{Arc, Once};

use futures_util::future::join_all;
use redis::{Cmd, Value};
use xxhash_rust::xxh3::xxh3_64;

use super::{Cluster, Node};
use crate::error::StoreError;
use crate::store::Answer;
use crate::store::redis::reply;

/// Where a scan has come to.
#[derive(Clone, Copy)]
struct Cursor {
    version: u32,
    /// The place of the server.
    node: u32,
    /// The server's own.
    own: u64,
}

impl Cursor {
    fn read(cursor: u128) -> Self {
        Self {
            version: (cursor >> 96) as u32,
            node: (cursor >> 64) as u32,
            own: cursor as u64,
        }
    }

    fn write(self) -> u128 {
        u128::from(self.version) << 96 | u128::from(self.node) << 64 | u128::from(self.own)
    }
}

impl Cluster {
    pub(in crate::store::redis) async fn scan(
        &self,
        cursor: u128,
        command: impl Fn(u64) -> Cmd + Send + Sync,
    ) -> Answer<(Vec<String>, u128)> {
        let map = self.shared.map.load_full();
        let begins = Cursor {
            version: map.version,
            node: 0,
            own: 0,
        };
        let at = match cursor {
            0 => begins,
            cursor => Cursor::read(cursor),
        };
        let node = map.nodes().get(at.node as usize);
        let node = node.ok_or_else(|| self.nobody())?;
        let commands = [command(at.own), redis::cmd("ROLE")].into_iter();
        let answers: [_; 2] =
            (node.link.send(commands).await.try_into()).map_err(|_| StoreError::Answer)?;
        let [scanned, role] = answers;
        self.note(&scanned);
        let (keys, own) = reply::scanned(scanned?)?;
        let now = self.shared.map.load();
        if now.version != at.version || now.moves() || now.has_hole() || is_replica(role) {
            return Err(self.nobody());
        }
        let is_last = at.node as usize + 1 == map.nodes().len();
        let node = match own {
            0 if is_last => return Ok((keys, 0)),
            0 => at.node + 1,
            _ => at.node,
        };
        Ok((keys, Cursor { node, own, ..at }.write()))
    }
}

impl Cluster {
    /// Another one for each move of a slot. An error: one is on its way, or not all servers can be asked.
    pub(in crate::store::redis) async fn layout(&self) -> Answer<u64> {
        let map = self.shared.map.load_full();
        if map.moves() || map.has_hole() {
            return Err(self.nobody());
        }
        let asked = map.nodes().iter().map(async |node: &Arc<Node>| {
            let answer = node.link.ask(redis::cmd("CLUSTER").arg("NODES")).await;
            self.note(&answer);
            own_slots(&answer.inspect_err(refused).and_then(reply::text)?)
        });
        let told: Answer<Vec<_>> = join_all(asked).await.into_iter().collect();
        match told?.into_iter().collect::<Option<Vec<_>>>() {
            Some(all) => Ok(xxh3_64(all.join("\n").as_bytes())),
            None => Err(self.nobody()),
        }
    }
}

/// Who it is, when it was elected, and its slots; `None`: it is a replica, or one of them is on its way.
fn own_slots(nodes: &str) -> Answer<Option<String>> {
    let own = nodes.lines().find(|line| line.contains("myself"));
    let words: Vec<_> = own.ok_or(StoreError::Answer)?.split(' ').collect();
    let [id, _, flags, _, _, _, elected, _, slots @ ..] = words.as_slice() else {
        return Err(StoreError::Answer);
    };
    let moves = slots.iter().any(|slot| slot.starts_with('['));
    let stays = flags.contains("master") && !moves;
    Ok(stays.then(|| format!("{id} {elected} {}", slots.join(" "))))
}

fn refused(error: &StoreError) {
    static TOLD: Once = Once::new();
    if matches!(error, StoreError::Server { code } if code == "NOPERM") {
        TOLD.call_once(|| {
            crate::util::warning::error!(
                "the user may not ask `CLUSTER NODES`: what has to be removed everywhere is deferred until \
                 `+cluster|nodes` is among his rights"
            );
        });
    }
}

/// As far as it may be asked.
fn is_replica(role: Answer<Value>) -> bool {
    let role = role.and_then(reply::list).unwrap_or_default().into_iter();
    matches!(role.map(reply::text).next(), Some(Ok(role)) if role != "master")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_is_seen_by_whoever_was_asked_before_and_after_it() {
        let line = |flags: &str, rest: &str| {
            let other = "b 127.0.0.1:2@12 master - 0 0 2 connected 100-200";
            own_slots(&format!("{other}\na 127.0.0.1:1@11 {flags} - 0 0 {rest}\n"))
        };
        let before = line("myself,master", "1 connected 0-99 300").unwrap();
        assert!(before.is_some());
        // It was given, or given away; and it was both.
        for after in [
            "1 connected 0-99",
            "1 connected 0-99 300 301",
            "3 connected 0-99 300",
        ] {
            assert_ne!(line("myself,master", after).unwrap(), before, "{after}");
        }
        assert_eq!(
            line("myself,master", "1 connected 0-99 300").unwrap(),
            before
        );
        for on_its_way in ["1 connected 0-99 [7->-b]", "1 connected 0-99 [107-<-b]"] {
            assert_eq!(line("myself,master", on_its_way), Ok(None), "{on_its_way}");
        }
        assert_eq!(line("myself,slave", "1 connected"), Ok(None));
        assert_eq!(
            own_slots("b 127.0.0.1:2@12 master - 0 0 2 connected"),
            Err(StoreError::Answer)
        );
    }
}
