//! Where a server of the cluster is, as the others call it.

use std::fmt;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::store::redis) struct Peer {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Peer {
    pub(super) fn new(host: impl Into<String>, port: u16) -> Self {
        let host = host.into();
        Self { host, port }
    }

    /// A server that does not know its own name calls itself nothing or by no address: it is where it was
    /// `asked`. `None`: it does not know where another one is.
    pub(super) fn named(host: Option<&str>, port: u16, asked: &Self) -> Option<Self> {
        match host {
            Some("?") => None,
            None | Some("" | "0.0.0.0" | "::") => Some(Self::new(&*asked.host, port)),
            Some(host) => Some(Self::new(host, port)),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
