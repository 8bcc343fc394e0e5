//! Where a feed connects to.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};

use crate::Error;

/// How often at most the server is told how far the feed is.
pub(super) const FEEDBACK: Duration = Duration::from_millis(50);

/// How long an attempt to connect, or an answer, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A database, a role, and what is read there.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) config: tokio_postgres::Config,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: String,
    pub(super) slot: String,
    pub(super) publication: String,
}

impl Target {
    pub(super) fn new(url: &str, slot: String, publication: String) -> Result<Self, Error> {
        let parsed = url.parse::<tokio_postgres::Config>();
        let mut config = parsed.map_err(|_| Error::Address(MALFORMED))?;
        let host = match config.get_hosts() {
            [Host::Tcp(host)] => host.clone(),
            #[cfg(unix)]
            [Host::Unix(path)] => path.display().to_string(),
            [] => return Err(Error::Address("names no host")),
            _ => {
                return Err(Error::Address(
                    "names several hosts: name the primary alone",
                ));
            }
        };
        if matches!(config.get_ssl_mode(), SslMode::Require) {
            return Err(Error::Address(TLS));
        }
        let user = config
            .get_user()
            .ok_or(Error::Address("names no user"))?
            .to_owned();
        let password =
            String::from_utf8_lossy(config.get_password().unwrap_or_default()).into_owned();
        let database = config.get_dbname().unwrap_or(&user).to_owned();
        let port = config.get_ports().first().copied().unwrap_or(5432);
        config
            .connect_timeout(PATIENCE)
            .application_name("cached-redis");
        Ok(Self {
            config,
            host,
            port,
            user,
            password,
            database,
            slot,
            publication,
        })
    }

    /// What a new slot is called until all is removed that it does not know of.
    pub(super) fn new_slot(&self) -> String {
        format!("{}_new", self.slot)
    }

    pub(super) async fn in_time<F: Future>(&self, answer: F) -> Result<F::Output, Error> {
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.map_err(|_| Error::Timeout(PATIENCE))
    }
}

const MALFORMED: &str = "is malformed: write postgres://user:password@host:5432/database";
const TLS: &str =
    "asks for TLS, which a feed does not speak: reach the server by a tunnel or a private network";

impl fmt::Debug for Target {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            port,
            database,
            slot,
            ..
        } = self;
        write!(f, "{host}:{port}/{database} slot {slot}")
    }
}
