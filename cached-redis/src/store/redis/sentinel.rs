//! Where the primary is, as the Sentinels say that watch it.
//!
//! All of them are asked at once, and that one counts who knows of the latest failover: one that lags names a server
//! that is no primary any more, or will soon be none. The server has to say itself that it is a primary, as any other
//! has to. A failover is a new server to everything above.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::aio::PubSub;
use redis::{FromRedisValue, ProtocolVersion, RedisConnectionInfo, Value};
use tokio::time::{sleep, timeout};

use super::dial::{Route, dial_to};
use super::{failure, login};
use crate::error::ConnectProblem;
use crate::store::address::{self, Endpoint, Login, Service};
use crate::util::backoff::Backoff;
use crate::util::lock::Mutex;

/// How long the others are waited for, once one has answered.
const LATE: Duration = Duration::from_millis(200);
/// How long an attempt to subscribe may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the builder was given.
#[derive(Clone, Default)]
pub(crate) struct SentinelSettings {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

impl fmt::Debug for SentinelSettings {
    /// Leaves the password out, and so all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SentinelSettings")
    }
}

type Place = (String, u16);

/// Those of one service.
#[derive(Default)]
pub(super) struct Sentinels {
    login: Option<Login>,
    /// Where others are than those of the address, and some of these.
    learned: Mutex<Vec<Place>>,
}

impl Sentinels {
    pub(super) fn of(settings: &SentinelSettings) -> Self {
        let SentinelSettings { user, password } = settings.clone();
        Self {
            login: address::login(user, password),
            learned: Mutex::default(),
        }
    }

    fn places(&self, service: &Service) -> Vec<Place> {
        let mut places = service.sentinels.clone();
        let learned = self.learned.lock().clone();
        places.extend(
            learned
                .into_iter()
                .filter(|place| !service.sentinels.contains(place)),
        );
        places
    }

    fn info(&self) -> RedisConnectionInfo {
        login::info(self.login.as_ref(), ProtocolVersion::RESP2)
    }
}

/// What one of them knows.
struct Report {
    primary: Place,
    /// Counts failovers.
    epoch: u64,
    sentinels: Vec<Place>,
}

/// The host and the port of the primary.
pub(super) async fn primary(service: &Service, route: &Route) -> Result<Place, ConnectProblem> {
    let places = route.sentinels.places(service);
    let mut asked: FuturesUnordered<_> = places
        .iter()
        .map(|place| ask(place, service, route))
        .collect();
    let (mut latest, mut failure) = (None::<Report>, None::<ConnectProblem>);
    let mut patience = Duration::MAX;
    while let Ok(Some(answer)) = timeout(patience, asked.next()).await {
        match answer {
            Ok(report) => {
                patience = LATE;
                let is_later = |latest: &Report| latest.epoch < report.epoch;
                if latest.as_ref().is_none_or(is_later) {
                    latest = Some(report);
                }
            }
            Err(problem) if problem.is_lasting() => failure = Some(problem),
            Err(problem) => {
                failure.get_or_insert_with(|| ConnectProblem::NoSentinel(Box::new(problem)));
            }
        }
    }
    drop(asked);
    let report = latest.ok_or_else(|| failure.unwrap_or(ConnectProblem::Timeout))?;
    *route.sentinels.learned.lock() = report.sentinels;
    Ok(report.primary)
}

async fn ask(place: &Place, service: &Service, route: &Route) -> Result<Report, ConnectProblem> {
    let stream = dial_to(&place.0, place.1, route).await?;
    let logged_in = login::log_in(&route.sentinels.info(), login::config(), stream).await;
    let (mut connection, _driver) = logged_in?;
    let mut commands = redis::pipe();
    for what in ["MASTER", "SENTINELS"] {
        commands.cmd("SENTINEL").arg(what).arg(&service.name);
    }
    let answers = connection.send_packed_commands(&commands, 0, commands.len());
    let answers = answers.await.map_err(|error| failure::of_client(&error))?;
    let mut answers = answers.into_iter();
    let primary: Fields = answer(answers.next())?;
    let others: Vec<Fields> = answer(answers.next())?;
    let mut sentinels: Vec<_> = others.iter().filter_map(place_of).collect();
    sentinels.push(place.clone());
    Ok(Report {
        primary: place_of(&primary).ok_or(ConnectProblem::Protocol)?,
        epoch: number(&primary, "config-epoch").unwrap_or(0),
        sentinels,
    })
}

type Fields = HashMap<String, String>;

fn answer<T: FromRedisValue>(answer: Option<Value>) -> Result<T, ConnectProblem> {
    match answer {
        Some(Value::ServerError(error)) => Err(match failure::of_server(&error) {
            ConnectProblem::Server { code } if code == "ERR" => ConnectProblem::NotSentinel,
            problem => problem,
        }),
        Some(value) => redis::from_redis_value(value).map_err(|_| ConnectProblem::Protocol),
        None => Err(ConnectProblem::Protocol),
    }
}

fn place_of(fields: &Fields) -> Option<Place> {
    let port = u16::try_from(number(fields, "port")?).ok()?;
    Some((fields.get("ip")?.clone(), port))
}

fn number(fields: &Fields, name: &str) -> Option<u64> {
    fields.get(name)?.parse().ok()
}

/// Ends when a Sentinel says that another server has become the primary, and never where none is asked. It is a hint:
/// what is missed shows at the server itself, which is gone or a replica.
pub(super) async fn switched(route: &Route) {
    let Endpoint::Sentinel(service) = &route.address.endpoint else {
        return pending().await;
    };
    let mut backoff = Backoff::long();
    loop {
        for place in route.sentinels.places(service) {
            let subscribed = timeout(PATIENCE, subscribe(&place, route)).await;
            if let Ok(Ok(subscription)) = subscribed
                && is_announced(subscription, &service.name).await
            {
                return;
            }
        }
        sleep(backoff.next()).await;
    }
}

async fn subscribe(place: &Place, route: &Route) -> Result<PubSub, ConnectProblem> {
    let stream = dial_to(&place.0, place.1, route).await?;
    let opened = PubSub::new(&route.sentinels.info(), stream).await;
    let mut subscription = opened.map_err(|error| failure::of_client(&error))?;
    let subscribed = subscription.subscribe("+switch-master").await;
    subscribed.map_err(|error| failure::of_client(&error))?;
    Ok(subscription)
}

/// `false`: the subscription has ended.
async fn is_announced(subscription: PubSub, service: &str) -> bool {
    let messages = subscription.into_on_message();
    let of = |message: redis::Msg| {
        let mut words = message.get_payload_bytes().split(|byte| *byte == b' ');
        words.next() == Some(service.as_bytes())
    };
    let mut switches = messages
        .map(of)
        .filter(|is_ours| std::future::ready(*is_ours));
    switches.next().await.is_some()
}
