//! Where a store is: URLs, and how they may be shown.
//!
//! An address carries a password, and whatever is parsed from a configuration ends in an error or a
//! log line sooner or later. So an [`Address`] is shown without user, password and query, and text
//! that does not parse, where nobody can say which part was meant as the password, loses all that
//! could be one.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::error::{AddressProblem, Error};

mod sentinel;

pub(super) use sentinel::Service;

const DEFAULT_PORT: u16 = 6379;

/// A parsed store URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// `memory://` or `memory://NAME`.
    Memory {
        /// Shared by the caches of this process that give the same name.
        name: Option<String>,
    },
    /// `redis://…`, `rediss://…`, `redis+unix://…` or `redis+sentinel://…`.
    Redis(RedisAddress),
    /// `redis+cluster://…` or `rediss+cluster://…`.
    Cluster(ClusterAddress),
}

/// One standalone server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RedisAddress {
    pub(super) endpoint: Endpoint,
    pub(super) database: u32,
    pub(super) login: Option<Login>,
}

/// Some servers of a cluster, of which one that answers is enough; they are alike but for where they are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClusterAddress {
    pub(super) seeds: Vec<RedisAddress>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp {
        host: String,
        port: u16,
        tls: bool,
    },
    Unix(PathBuf),
    /// Wherever its primary is.
    Sentinel(Service),
}

/// Without `Debug` and `Display`, so that it cannot be shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: String,
}

impl Address {
    /// Parses `memory://[NAME]`, `redis[s]://[user[:password]@]host[:port][/db]`,
    /// `redis[s]+cluster://[user[:password]@]host[:port][,host[:port]…]`, the same of `redis[s]+sentinel` with
    /// `/service[?db=N]` behind it, and `redis+unix:///path[?db=N&user=…&pass=…]`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        parse(text).map_err(|problem| Error::Address {
            address: redacted(text),
            problem,
        })
    }

    /// What the caches of this process that share the store have in common, as it was written; `None`
    /// for a store that is not shared.
    pub(crate) fn shared_name(&self) -> Option<String> {
        match self {
            Self::Memory { name } => name.as_ref().map(|name| format!("memory://{name}")),
            Self::Redis(RedisAddress {
                endpoint, database, ..
            }) => Some(format!("{endpoint:?}/{database}")),
            Self::Cluster(ClusterAddress { seeds }) => {
                let mut seeds: Vec<_> = seeds.iter().map(ToString::to_string).collect();
                seeds.sort();
                Some(seeds.join(","))
            }
        }
    }

    pub(crate) fn is_memory(&self) -> bool {
        matches!(self, Self::Memory { .. })
    }
}

fn parse(text: &str) -> Result<Address, AddressProblem> {
    plain(text)?;
    // By the scheme first: the hosts of a cluster are a list, which is no valid URL.
    let (scheme, _) = text
        .split_once("://")
        .ok_or(AddressProblem::MissingScheme)?;
    let scheme = scheme.to_ascii_lowercase().replacen("valkey", "redis", 1);
    match scheme.as_str() {
        "memory" => memory(&url(text)?),
        "redis" => tcp(&url(text)?, false).map(Address::Redis),
        "redis+cluster" => cluster(text, false).map(Address::Cluster),
        "redis+sentinel" => sentinel::parse(text, false).map(Address::Redis),
        "rediss" if cfg!(feature = "tls") => tcp(&url(text)?, true).map(Address::Redis),
        "rediss+cluster" if cfg!(feature = "tls") => cluster(text, true).map(Address::Cluster),
        "rediss+sentinel" if cfg!(feature = "tls") => {
            sentinel::parse(text, true).map(Address::Redis)
        }
        "rediss" | "rediss+cluster" | "rediss+sentinel" => Err(AddressProblem::NeedsTls),
        "redis+unix" | "unix" if cfg!(unix) => unix(&url(text)?).map(Address::Redis),
        "redis+unix" | "unix" => Err(AddressProblem::UnsupportedScheme),
        _ => Err(AddressProblem::UnknownScheme),
    }
}

/// Refuses what a configuration makes of an address: nothing, quotation marks around it, blanks.
fn plain(text: &str) -> Result<(), AddressProblem> {
    let quoted = |mark: char| text.starts_with(mark) || text.ends_with(mark);
    if text.trim().is_empty() {
        return Err(AddressProblem::Empty);
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(AddressProblem::Blank);
    }
    if ['"', '\'', '`'].into_iter().any(quoted) {
        return Err(AddressProblem::Quoted);
    }
    Ok(())
}

fn url(text: &str) -> Result<Url, AddressProblem> {
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::EmptyHost => AddressProblem::MissingHost,
        _ => AddressProblem::Malformed,
    })?;
    match url.fragment() {
        Some(_) => Err(AddressProblem::Malformed),
        None => Ok(url),
    }
}

fn memory(url: &Url) -> Result<Address, AddressProblem> {
    let bare = login_of(url)?.is_none() && url.port().is_none() && url.query().is_none();
    if !bare || !matches!(url.path(), "" | "/") {
        return Err(AddressProblem::Malformed);
    }
    let name = url.host_str().map(decoded).transpose()?;
    Ok(Address::Memory { name })
}

fn tcp(url: &Url, tls: bool) -> Result<RedisAddress, AddressProblem> {
    let (host, port) = place(url, DEFAULT_PORT)?;
    if url.query().is_some() {
        return Err(AddressProblem::Query);
    }
    Ok(RedisAddress {
        endpoint: Endpoint::Tcp { host, port, tls },
        database: database(url.path().trim_start_matches('/'))?,
        login: login_of(url)?,
    })
}

/// The host and the port.
fn place(url: &Url, default_port: u16) -> Result<(String, u16), AddressProblem> {
    let host = match url.host() {
        None => return Err(AddressProblem::MissingHost),
        Some(Host::Domain(name)) => decoded(name)?,
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Ipv6(ip)) => ip.to_string(),
    };
    match url.port().unwrap_or(default_port) {
        0 => Err(AddressProblem::Malformed),
        port => Ok((host, port)),
    }
}

/// Each of the hosts of a list, which is no valid URL, in one of its own; they differ in nothing else.
fn apart(text: &str) -> Result<Vec<Url>, AddressProblem> {
    let (_, rest) = text.split_once("://").unwrap_or_default();
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    let urls = hosts
        .split(',')
        .map(|host| url(&format!("redis://{login}{host}{tail}")));
    urls.collect()
}

fn cluster(text: &str, tls: bool) -> Result<ClusterAddress, AddressProblem> {
    let seeds = apart(text)?
        .iter()
        .map(|url| tcp(url, tls))
        .collect::<Result<Vec<_>, _>>()?;
    match seeds.iter().any(|seed| seed.database != 0) {
        true => Err(AddressProblem::ClusterDatabase),
        false => Ok(ClusterAddress { seeds }),
    }
}

fn unix(url: &Url) -> Result<RedisAddress, AddressProblem> {
    if url.has_host() && url.host_str().is_some_and(|host| !host.is_empty()) {
        return Err(AddressProblem::Malformed);
    }
    if matches!(url.path(), "" | "/") {
        return Err(AddressProblem::MissingPath);
    }
    let [db, user, pass] = parameters(url, ["db", "user", "pass"])?;
    Ok(RedisAddress {
        endpoint: Endpoint::Unix(decoded(url.path())?.into()),
        database: database(db.as_deref().unwrap_or(""))?,
        login: login(user, pass),
    })
}

/// The values of the query's parameters; others than `names`, and repeated ones, are refused.
fn parameters<const N: usize>(
    url: &Url,
    names: [&str; N],
) -> Result<[Option<String>; N], AddressProblem> {
    let mut values = [const { None }; N];
    for pair in url
        .query()
        .unwrap_or("")
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        // Not as a form, where a plus sign is a space: it is common in passwords.
        let (name, value) = pair.split_once('=').ok_or(AddressProblem::Query)?;
        let known = names.iter().position(|known| *known == name);
        let slot = &mut values[known.ok_or(AddressProblem::Query)?];
        if slot.replace(decoded(value)?).is_some() {
            return Err(AddressProblem::Query);
        }
    }
    Ok(values)
}

fn login_of(url: &Url) -> Result<Option<Login>, AddressProblem> {
    let user = Some(url.username()).filter(|user| !user.is_empty());
    let user = user.map(decoded).transpose()?;
    let password = url.password().map(decoded).transpose()?;
    Ok(login(user, password))
}

/// A user without a password is one that needs none.
pub(super) fn login(user: Option<String>, password: Option<String>) -> Option<Login> {
    match (user, password) {
        (None, None) => None,
        (user, password) => Some(Login {
            user,
            password: password.unwrap_or_default(),
        }),
    }
}

fn database(text: &str) -> Result<u32, AddressProblem> {
    if text.is_empty() {
        return Ok(0);
    }
    // `parse` alone would take a plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or(AddressProblem::Database)
}

fn decoded(text: &str) -> Result<String, AddressProblem> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Into::into).map_err(|_| AddressProblem::Malformed)
}

impl RedisAddress {
    /// The same server at another place, which is named by its host and port.
    pub(super) fn at(&self, host: &str, port: u16) -> Self {
        let mut other = self.clone();
        if let Endpoint::Tcp {
            host: own,
            port: at,
            ..
        } = &mut other.endpoint
        {
            (*own, *at) = (host.to_owned(), port);
        }
        other
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } => f.write_str(&shown_place(host, *port)),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Sentinel(service) => write!(f, "{service}"),
        }
    }
}

impl Endpoint {
    fn s(&self) -> &'static str {
        match self {
            Self::Tcp { tls: true, .. } | Self::Sentinel(Service { tls: true, .. }) => "s",
            _ => "",
        }
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (endpoint, s, database) = (&self.endpoint, self.endpoint.s(), self.database);
        match endpoint {
            Endpoint::Tcp { .. } => write!(f, "redis{s}://{endpoint}/{database}"),
            Endpoint::Unix(_) => write!(f, "redis+unix://{endpoint}"),
            Endpoint::Sentinel(_) if database == 0 => write!(f, "redis{s}+sentinel://{endpoint}"),
            Endpoint::Sentinel(_) => write!(f, "redis{s}+sentinel://{endpoint}?db={database}"),
        }
    }
}

impl fmt::Display for ClusterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.seeds.first().map_or("", |seed| seed.endpoint.s());
        write!(f, "redis{s}+cluster://")?;
        for (at, seed) in self.seeds.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{}", seed.endpoint)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ClusterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterAddress({self})")
    }
}

fn shown_place(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisAddress({self})")
    }
}

/// What of `text` can be shown: the scheme, and the host where no part of a password can be in it.
fn redacted(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        None if is_plain_host(text) => return text.to_owned(),
        // A login in front of the scheme, or none at all.
        _ => return "…".to_owned(),
    };
    let shown = shown(rest).filter(|shown| !shown.contains(char::is_control));
    format!("{scheme}://{}", shown.unwrap_or("…"))
}

fn is_scheme(text: &str) -> bool {
    text.len() <= 20
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'+')
}

/// Whether `text` can be nothing but a host, with a port or without: a name may be half a login.
fn is_plain_host(text: &str) -> bool {
    let host = match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => text,
    };
    let ip = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || ip.parse::<std::net::IpAddr>().is_ok()
}

fn shown(rest: &str) -> Option<&str> {
    let (before, query) = match rest.find(['?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if query.contains('@') {
        // Either a password with a question mark, or a query with an at sign.
        return None;
    }
    match before.rsplit_once('@') {
        // A password may contain anything, at signs and slashes too, but the host follows the last.
        Some((_login, host)) => Some(host),
        // Maybe a login whose host was forgotten: what follows a colon must look like a port.
        None => before.split(',').all(is_host).then_some(before),
    }
}

fn is_host(text: &str) -> bool {
    let authority = text.split('/').next().unwrap_or("");
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
