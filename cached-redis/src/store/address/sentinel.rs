//! What Sentinels watch, by the name that they give it.

use std::fmt;

use super::{
    AddressProblem, Endpoint, RedisAddress, apart, database, decoded, login_of, parameters, place,
    shown_place,
};

const DEFAULT_PORT: u16 = 26379;

/// A primary and its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Service {
    pub(in crate::store) name: String,
    /// Hosts and ports of Sentinels that watch it, of which one that answers is enough.
    pub(in crate::store) sentinels: Vec<(String, u16)>,
    /// Of the Sentinels and of what they watch.
    pub(in crate::store) tls: bool,
}

/// The login is that of the servers.
pub(super) fn parse(text: &str, tls: bool) -> Result<RedisAddress, AddressProblem> {
    let urls = apart(text)?;
    let sentinels = urls.iter().map(|url| place(url, DEFAULT_PORT));
    let (sentinels, any) = (sentinels.collect::<Result<_, _>>()?, &urls[0]);
    let name = decoded(any.path().trim_start_matches('/'))?;
    if name.is_empty() || name.contains('/') {
        return Err(AddressProblem::MissingService);
    }
    let [db] = parameters(any, ["db"])?;
    Ok(RedisAddress {
        endpoint: Endpoint::Sentinel(Service {
            name,
            sentinels,
            tls,
        }),
        database: database(db.as_deref().unwrap_or(""))?,
        login: login_of(any)?,
    })
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.sentinels.iter();
        let places: Vec<_> = places
            .map(|(host, port)| shown_place(host, *port))
            .collect();
        write!(f, "{}/{}", places.join(","), self.name)
    }
}
