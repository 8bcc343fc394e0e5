//! What a server says of its cluster: who has which slots.

use std::collections::HashMap;
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
    /// The host names that they and their replicas have announced.
    pub(super) names: Vec<(Peer, String)>,
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
        let (mut shares, mut names) = (Vec::new(), Vec::new());
        for share in reply::list(slots)? {
            shares.extend(share_of(share, asked, &mut names)?);
        }
        if shares.is_empty() {
            return Err(StoreError::Unavailable);
        }
        let info = reply::text(info)?;
        let line = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
        let epoch = line("cluster_current_epoch:").and_then(|epoch| epoch.trim().parse().ok());
        Ok(Self {
            shares,
            names,
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
fn share_of(share: Value, asked: &Peer, names: &mut Vec<(Peer, String)>) -> Answer<Option<Share>> {
    let mut parts = reply::list(share)?.into_iter();
    let mut next = || parts.next().ok_or(StoreError::Answer);
    let (first, last) = (slot(next()?)?, slot(next()?)?);
    let mut servers = Vec::new();
    for server in parts {
        let (peer, name) = server_of(server, asked)?;
        names.extend(peer.clone().zip(name));
        servers.push(peer);
    }
    let primary = servers.into_iter().next().ok_or(StoreError::Answer)?;
    Ok(primary.map(|peer| (first..=last, peer)))
}

/// Where it is, and what host name it has announced.
fn server_of(server: Value, asked: &Peer) -> Answer<(Option<Peer>, Option<String>)> {
    let mut parts = reply::list(server)?.into_iter();
    let mut next = || parts.next().ok_or(StoreError::Answer);
    let host = reply::bytes(next()?)?;
    let host = host.as_deref().map(std::str::from_utf8).transpose();
    let host = host.map_err(|_| StoreError::Answer)?;
    let port = reply::number(next()?).and_then(|port| u16::try_from(port).ok());
    let peer = Peer::named(host, port.ok_or(StoreError::Answer)?, asked);
    // Behind its number.
    let more: HashMap<String, String> = (parts.nth(1).map(redis::from_redis_value))
        .and_then(Result::ok)
        .unwrap_or_default();
    let name = more.get("hostname").filter(|name| !name.is_empty());
    Ok((peer, name.cloned()))
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
    fn host_names_are_told_beside_addresses_under_either_protocol() {
        let more = [
            "*2\r\n$8\r\nhostname\r\n$1\r\nh\r\n",
            "%1\r\n$8\r\nhostname\r\n$1\r\nh\r\n",
        ];
        for more in more {
            let one = |host: &str| format!("*4\r\n$1\r\n{host}\r\n:6380\r\n$1\r\nx\r\n{more}");
            let slots = format!("*1\r\n*4\r\n:0\r\n:99\r\n{}{}", one("a"), one("b"));
            let told = read(slots.as_bytes(), INFO).unwrap();
            assert_eq!(told.shares, [(0..=99, Peer::new("a", 6380))]);
            let named = ["a", "b"].map(|host| (Peer::new(host, 6380), "h".to_owned()));
            assert_eq!(told.names, named, "{more}");
        }
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
