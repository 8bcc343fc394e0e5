//! A scan over all servers, one after the other.
//!
//! Each step of it is of the same map: if that has changed, or a slot is on its way, keys may have moved past the
//! scan, and it fails. So it does where a server is a replica by now: it answers all the same.

use redis::{Cmd, Value};

use super::Cluster;
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

/// As far as it may be asked.
fn is_replica(role: Answer<Value>) -> bool {
    let role = role.and_then(reply::list).unwrap_or_default().into_iter();
    matches!(role.map(reply::text).next(), Some(Ok(role)) if role != "master")
}
