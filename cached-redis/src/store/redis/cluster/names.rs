//! Where a server of a cluster is connected to, and for what name it shows its certificate.
//!
//! Servers call themselves by addresses that need not lead to them from here, as in containers or behind a
//! translation of addresses, and that stand in no certificate. The host name that they announce does.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::peer::Peer;
use crate::util::lock::Mutex;

type Map = dyn Fn(&str, u16) -> Option<(String, u16)> + Send + Sync;

/// What the builder was given.
#[derive(Clone, Default)]
pub(crate) struct AddressMap(Option<Arc<Map>>);

impl AddressMap {
    pub(crate) fn new(
        map: impl Fn(&str, u16) -> Option<(String, u16)> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(map)))
    }

    /// Where `peer` is.
    pub(super) fn place(&self, peer: &Peer) -> (String, u16) {
        let mapped = self.0.as_ref().and_then(|map| map(&peer.host, peer.port));
        mapped.unwrap_or_else(|| (peer.host.clone(), peer.port))
    }
}

impl fmt::Debug for AddressMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressMap")
    }
}

/// The host names that servers have announced.
#[derive(Default)]
pub(super) struct Names(Mutex<HashMap<Peer, String>>);

impl Names {
    pub(super) fn learn(&self, named: Vec<(Peer, String)>) {
        self.0.lock().extend(named);
    }
}

/// That of one of them, as far as it is known by then.
#[cfg(feature = "tls")]
#[derive(Clone)]
pub(in crate::store::redis) struct Name {
    names: Arc<Names>,
    peer: Peer,
}

#[cfg(feature = "tls")]
impl Name {
    pub(super) fn new(names: &Arc<Names>, peer: &Peer) -> Self {
        let (names, peer) = (Arc::clone(names), peer.clone());
        Self { names, peer }
    }

    pub(in crate::store::redis) fn get(&self) -> Option<String> {
        self.names.0.lock().get(&self.peer).cloned()
    }
}
