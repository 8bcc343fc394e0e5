//! What a server says of its cluster: who has which slots.

use std::ops::RangeInclusive;

use redis::{Cmd, Value};

use super::peer::Peer;
use crate::error::StoreError;
use crate::store::Answer;
use crate::store::redis::reply;
use crate::store::slot::SLOTS;

/// Slots, and the primary that has them.
pub(super) type Share = (RangeInclusive<u16>, Peer);

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Topology {
    pub(super) shares: Vec<Share>,
    /// It grows with each election, and each slot that is moved: one that knows of fewer is behind.
    pub(super) epoch: u64,
    /// Whether it takes itself to be among those that decide.
    is_ok: bool,
}

pub(super) fn questions() -> [Cmd; 2] {
    ["SLOTS", "INFO"].map(|what| redis::cmd("CLUSTER").arg(what).clone())
}

impl Topology {
    /// The answers of `asked`. One that knows of no slots is in no cluster yet, or not any more.
    pub(super) fn told(answers: Vec<Value>, asked: &Peer) -> Answer<Self> {
        let answers: [_; 2] = answers.try_into().map_err(|_| StoreError::Answer)?;
        let [slots, info] = answers;
        let shares = reply::list(slots)?.into_iter();
        let shares: Answer<Vec<_>> = shares.map(|share| share_of(share, asked)).collect();
        let shares: Vec<_> = shares?.into_iter().flatten().collect();
        if shares.is_empty() {
            return Err(StoreError::Unavailable);
        }
        let info = reply::text(info)?;
        let line = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
        let epoch = line("cluster_current_epoch:").and_then(|epoch| epoch.trim().parse().ok());
        Ok(Self {
            shares,
            epoch: epoch.ok_or(StoreError::Answer)?,
            is_ok: line("cluster_state:").is_some_and(|state| state.trim() == "ok"),
        })
    }

    /// Whether it can be believed by one who has heard of so many. Who knows nothing takes anything.
    pub(super) fn is_newer(&self, than: Option<u64>) -> bool {
        than.is_none_or(|than| self.is_ok && self.epoch >= than)
    }
}

/// `None`: it does not know where their primary is.
fn share_of(share: Value, asked: &Peer) -> Answer<Option<Share>> {
    let mut parts = reply::list(share)?.into_iter();
    let mut next = || parts.next().ok_or(StoreError::Answer);
    let (first, last, primary) = (slot(next()?)?, slot(next()?)?, next()?);
    let mut primary = reply::list(primary)?.into_iter();
    let mut next = || primary.next().ok_or(StoreError::Answer);
    let host = reply::bytes(next()?)?;
    let host = host.as_deref().map(std::str::from_utf8).transpose();
    let port = reply::number(next()?).and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or(StoreError::Answer)?;
    let peer = Peer::named(host.map_err(|_| StoreError::Answer)?, port, asked);
    Ok(peer.map(|peer| (first..=last, peer)))
}

fn slot(value: Value) -> Answer<u16> {
    let slot = reply::number(value).filter(|slot| *slot < SLOTS as u64);
    slot.map(|slot| slot as u16).ok_or(StoreError::Answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(slots: &[u8], info: &str) -> Answer<Topology> {
        let slots = redis::parse_redis_value(slots).unwrap();
        let info = Value::BulkString(info.into());
        Topology::told(vec![slots, info], &Peer::new("asked", 7000))
    }

    const INFO: &str = "cluster_state:ok\r\ncluster_current_epoch:7\r\n";

    fn told(host: &str) -> Answer<Vec<Share>> {
        let servers = format!("*4\r\n{host}:6380\r\n$1\r\nx\r\n*0\r\n");
        let slots = format!("*1\r\n*3\r\n:0\r\n:99\r\n{servers}");
        read(slots.as_bytes(), INFO).map(|told| told.shares)
    }

    #[test]
    fn a_server_that_does_not_know_its_name_is_where_it_was_asked() {
        let at = |host: &str| Ok(vec![(0..=99, Peer::new(host, 6380))]);
        assert_eq!(told("$3\r\nabc\r\n"), at("abc"));
        for unnamed in ["$0\r\n\r\n", "$-1\r\n", "_\r\n", "$7\r\n0.0.0.0\r\n"] {
            assert_eq!(told(unnamed), at("asked"), "{unnamed:?}");
        }
        assert_eq!(told("$1\r\n?\r\n"), Err(StoreError::Unavailable));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(read(b"*0\r\n", INFO), Err(StoreError::Unavailable));
        for odd in [
            &b":1\r\n"[..],
            b"*1\r\n*2\r\n:0\r\n:1\r\n",
            b"*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n",
            b"*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:65536\r\n",
            b"*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\na\r\n",
        ] {
            assert_eq!(read(odd, INFO), Err(StoreError::Answer), "{odd:?}");
        }
    }

    #[test]
    fn one_that_is_behind_or_alone_is_not_believed_by_one_who_knows_more() {
        let slots = b"*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n";
        let alone = INFO.replace("ok", "fail");
        for (info, than, is_newer) in [
            (INFO, Some(7), true),
            (INFO, Some(8), false),
            (&*alone, Some(7), false),
            (&*alone, None, true),
        ] {
            let told = read(slots, info).unwrap();
            assert_eq!(told.is_newer(than), is_newer, "{info} {than:?}");
        }
    }
}
