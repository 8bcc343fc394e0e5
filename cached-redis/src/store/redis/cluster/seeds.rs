//! Where somebody is asked who is in the cluster, and how all of them are connected to.

use super::peer::Peer;
use crate::error::Error;
use crate::store::address::{ClusterAddress, Endpoint};
use crate::store::redis::dial::Route;
use crate::store::redis::sentinel::Sentinels;
use crate::store::redis::settings::{PendingSettings, RedisSettings};
#[cfg(feature = "tls")]
use crate::store::redis::tls::Tls;

/// See the module.
pub(super) struct Seeds {
    pub(super) address: ClusterAddress,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    pending: PendingSettings,
}

impl Seeds {
    pub(super) fn new(address: ClusterAddress, settings: &RedisSettings) -> Result<Self, Error> {
        Ok(Self {
            #[cfg(feature = "tls")]
            tls: Tls::of(&address.seeds[0], &settings.tls)?,
            address,
            pending: settings.pending.clone(),
        })
    }

    pub(super) fn routes(&self) -> impl Iterator<Item = (Peer, Route)> {
        let peers = self
            .address
            .seeds
            .iter()
            .filter_map(|seed| match &seed.endpoint {
                Endpoint::Tcp { host, port, .. } => Some(Peer::new(host, *port)),
                _ => None,
            });
        peers.map(|peer| (peer.clone(), self.route(&peer)))
    }

    pub(super) fn route(&self, peer: &Peer) -> Route {
        Route {
            address: self.address.seeds[0].at(&peer.host, peer.port),
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
            sentinels: Sentinels::default(),
            is_shard: true,
            pending: self.pending.clone(),
        }
    }
}
