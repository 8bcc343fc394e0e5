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

const DEFAULT_PORT: u16 = 6379;

/// A parsed store URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// `memory://` or `memory://NAME`.
    Memory {
        /// Shared by the caches of this process that give the same name.
        name: Option<String>,
    },
    /// `redis://…`, `rediss://…` or `redis+unix://…`.
    Redis(RedisAddress),
}

/// One standalone server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RedisAddress {
    pub(super) endpoint: Endpoint,
    pub(super) database: u32,
    pub(super) login: Option<Login>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

/// Without `Debug` and `Display`, so that it cannot be shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: String,
}

impl Address {
    /// Parses `memory://[NAME]`, `redis[s]://[user[:password]@]host[:port][/db]` and
    /// `redis+unix:///path[?db=N&user=…&pass=…]`.
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
    match scheme.to_ascii_lowercase().as_str() {
        "memory" => memory(&url(text)?),
        "redis" => tcp(&url(text)?, false).map(Address::Redis),
        "rediss" if cfg!(feature = "tls") => tcp(&url(text)?, true).map(Address::Redis),
        "rediss" => Err(AddressProblem::NeedsTls),
        "redis+unix" if cfg!(unix) => unix(&url(text)?).map(Address::Redis),
        "redis+cluster" | "redis+sentinel" | "redis+unix" => Err(AddressProblem::UnsupportedScheme),
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
    let host = match url.host() {
        None => return Err(AddressProblem::MissingHost),
        Some(Host::Domain(name)) => decoded(name)?,
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Ipv6(ip)) => ip.to_string(),
    };
    let port = url.port().unwrap_or(DEFAULT_PORT);
    if port == 0 {
        return Err(AddressProblem::Malformed);
    }
    if url.query().is_some() {
        return Err(AddressProblem::Query);
    }
    Ok(RedisAddress {
        endpoint: Endpoint::Tcp { host, port, tls },
        database: database(url.path().trim_start_matches('/'))?,
        login: login_of(url)?,
    })
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
fn login(user: Option<String>, password: Option<String>) -> Option<Login> {
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

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Tcp { host, port, tls } => {
                let s = if *tls { "s" } else { "" };
                let host = match host.contains(':') {
                    true => &format!("[{host}]"),
                    false => host,
                };
                write!(f, "redis{s}://{host}:{port}/{}", self.database)
            }
            Endpoint::Unix(path) => write!(f, "redis+unix://{}", path.display()),
        }
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
mod tests {
    use super::*;

    fn redis(text: &str) -> RedisAddress {
        match Address::parse(text) {
            Ok(Address::Redis(address)) => address,
            other => panic!("{text} gave {other:?}"),
        }
    }

    fn plain(host: &str, port: u16) -> Endpoint {
        let (host, tls) = (host.to_owned(), false);
        Endpoint::Tcp { host, port, tls }
    }

    fn refused(text: &str) -> (AddressProblem, String) {
        match Address::parse(text) {
            Err(error @ Error::Address { problem, .. }) => (problem, format!("{error} {error:?}")),
            other => panic!("{text} gave {other:?}"),
        }
    }

    #[test]
    fn a_url_gives_host_port_database_and_login() {
        let address = redis("redis://ann:s3cr%2Ft@cache.internal:7000/12");
        assert_eq!(address.endpoint, plain("cache.internal", 7000));
        assert_eq!(address.database, 12);
        let login = address.login.unwrap();
        assert_eq!(login.user.as_deref(), Some("ann"));
        assert_eq!(login.password, "s3cr/t");
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        for text in [
            "redis://localhost",
            "redis://localhost/",
            "REDIS://localhost:6379/0",
        ] {
            let address = redis(text);
            assert_eq!(address.endpoint, plain("localhost", 6379));
            assert_eq!(address.database, 0);
            assert!(address.login.is_none());
        }
    }

    #[test]
    fn a_password_may_stand_without_user_and_a_user_without_password() {
        let login = redis("redis://:p+w@h").login.unwrap();
        assert_eq!((login.user.as_deref(), &*login.password), (None, "p+w"));
        let login = redis("redis://ann@h").login.unwrap();
        assert_eq!((login.user.as_deref(), &*login.password), (Some("ann"), ""));
    }

    #[test]
    fn ipv6_hosts_lose_their_brackets() {
        let address = redis("redis://[::1]:7000");
        assert_eq!(address.endpoint, plain("::1", 7000));
        assert_eq!(address.to_string(), "redis://[::1]:7000/0");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_second_s_asks_for_tls_and_changes_nothing_else() {
        let address = redis("rediss://ann:s3cret@[::1]/2");
        let (host, port, tls) = ("::1".to_owned(), 6379, true);
        assert_eq!(address.endpoint, Endpoint::Tcp { host, port, tls });
        assert_eq!(address.login.as_ref().unwrap().password, "s3cret");
        assert_eq!(address.to_string(), "rediss://[::1]:6379/2");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn without_the_feature_tls_an_address_with_it_is_refused_for_that() {
        let (problem, shown) = refused("rediss://h");
        assert_eq!(problem, AddressProblem::NeedsTls);
        assert!(shown.contains("feature `tls`"), "{shown}");
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_takes_database_and_login_from_the_query() {
        let address = redis("redis+unix:///run/my%20redis.sock?db=2&user=ann&pass=a+b%26c");
        assert_eq!(
            address.endpoint,
            Endpoint::Unix("/run/my redis.sock".into())
        );
        assert_eq!(address.database, 2);
        let login = address.login.unwrap();
        assert_eq!(
            (login.user.as_deref(), &*login.password),
            (Some("ann"), "a+b&c")
        );
    }

    #[test]
    fn memory_stores_may_have_a_name() {
        let name = None;
        assert_eq!(
            Address::parse("memory://").unwrap(),
            Address::Memory { name }
        );
        let name = Some("Shop_1".to_owned());
        assert_eq!(
            Address::parse("memory://Shop_1").unwrap(),
            Address::Memory { name }
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_kind() {
        use AddressProblem::*;
        for (text, problem) in [
            ("", Empty),
            (" \n", Empty),
            ("localhost:6379", MissingScheme),
            ("127.0.0.1:6379", MissingScheme),
            ("redis:/localhost", MissingScheme),
            ("localhost", MissingScheme),
            ("//localhost", MissingScheme),
            (" redis://h", Blank),
            ("redis://h\n", Blank),
            ("redis://a b", Blank),
            ("\"redis://h\"", Quoted),
            ("'redis://h'", Quoted),
            ("redis://h\"", Quoted),
            ("redis://h:port", Malformed),
            ("redis://h:70000", Malformed),
            ("redis://h:0", Malformed),
            ("redis://h/0#x", Malformed),
            ("redis://:%ff@h", Malformed),
            ("memory://name/path", Malformed),
            ("memory://ann@name", Malformed),
            ("redis+unix://host/path", Malformed),
            ("http://h", UnknownScheme),
            ("://h", UnknownScheme),
            ("redis+cluster://a:1,b:2,c", UnsupportedScheme),
            ("redis+sentinel://a:1,b:2/service", UnsupportedScheme),
            ("redis://", MissingHost),
            ("redis:///0", MissingHost),
            ("redis://ann:pw@", MissingHost),
            ("redis+unix://", MissingPath),
            ("redis+unix:///", MissingPath),
            ("redis://h/one", Database),
            ("redis://h/+1", Database),
            ("redis://h/1/2", Database),
            ("redis+unix:///s?db=x", Database),
            ("redis://h?protocol=resp3", Query),
            ("redis+unix:///s?db=1&db=2", Query),
            ("redis+unix:///s?password=x", Query),
        ] {
            assert_eq!(refused(text).0, problem, "{text}");
        }
    }

    #[test]
    fn nothing_shows_a_password() {
        for text in [
            "http://ann:s3cret@h",
            "rediss://ann:s3cret@h:1/zero",
            "redis://ann:s3cret@h:port",
            "redis://ann:s3cret@h/one",
            "redis://ann:s3cret@",
            "redis://:s3cret",
            "redis://ann:s3cret/0",
            "redis://:x@y/s3cret@h:port",
            "redis://:x?s3cret@h:port",
            "redis://:x#s3cret@h:port",
            "redis://:x?y@s3cret@h:port",
            "redis://h?pass=s3cret",
            "redis+unix:///path?pass=a@s3cret&db=x",
            "redis+unix:///path?pass=s3cret&db=x",
            "redis+cluster://ann:s3cret@a:1,b:2",
            "ann:s3cret@h:6379",
            "ann:s3cret",
            "s3cret:6379",
            "\"redis://ann:s3cret@h\"",
            " redis://ann:s3cret@h",
            "redis://ann:s3cret @h",
            "s3cret",
            "s3cret://h",
        ] {
            let (_, shown) = refused(text);
            assert!(
                !shown.contains("s3cret") && !shown.contains("ann"),
                "{shown}"
            );
        }
        let address = Address::parse("redis://ann:s3cret@h:1/2").unwrap();
        assert_eq!(format!("{address:?}"), "Redis(RedisAddress(redis://h:1/2))");
    }

    #[test]
    fn a_refusal_shows_where_it_was_to_connect() {
        let (_, shown) = refused("redis://ann:s3cret@cache.internal:70000/1");
        assert!(shown.contains("redis://cache.internal:70000/1"), "{shown}");
        for host in [
            "127.0.0.1:6379",
            "localhost:6379",
            "localhost",
            "[::1]:6379",
        ] {
            let (_, shown) = refused(host);
            assert!(
                shown.contains(host) && shown.contains("redis://host:port"),
                "{shown}"
            );
        }
        let (_, shown) = refused("redis+cluster://a:1,b:2");
        assert!(shown.contains("redis+cluster://a:1,b:2"), "{shown}");
    }
}
