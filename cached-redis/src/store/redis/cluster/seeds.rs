//! Where somebody is asked who is in the cluster, and how all of them are connected to.

use std::sync::Arc;

#[cfg(feature = "tls")]
use super::names::Name;
use super::names::{AddressMap, Names};
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
    map: AddressMap,
    pub(super) names: Arc<Names>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    pending: PendingSettings,
}

impl Seeds {
    pub(super) fn new(address: ClusterAddress, settings: &RedisSettings) -> Result<Self, Error> {
        #[cfg(not(feature = "tls"))]
        let _: &RedisSettings = settings;
        Ok(Self {
            #[cfg(feature = "tls")]
            tls: Tls::of(&address.seeds[0], &settings.tls)?,
            map: settings.address_map.clone(),
            names: Arc::default(),
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
        peers.map(|peer| (peer.clone(), self.route_to(&peer.host, peer.port)))
    }

    /// To one that others have named.
    pub(super) fn route(&self, peer: &Peer) -> Route {
        let (host, port) = self.map.place(peer);
        Route {
            #[cfg(feature = "tls")]
            name: Some(Name::new(&self.names, peer)),
            ..self.route_to(&host, port)
        }
    }

    fn route_to(&self, host: &str, port: u16) -> Route {
        Route {
            address: self.address.seeds[0].at(host, port),
            #[cfg(feature = "tls")]
            name: None,
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
            sentinels: Sentinels::default(),
            is_shard: true,
            pending: self.pending.clone(),
        }
    }
}
