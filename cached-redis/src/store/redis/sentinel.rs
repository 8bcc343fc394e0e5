//! Where the primary is, as the Sentinels say that watch it.
//!
//! All of them are asked at once, and that one counts who knows of the latest failover: one that lags names a server
//! that is no primary any more, or will soon be none. The server has to say itself that it is a primary, as any other
//! has to. A failover is a new server to everything above.

use std::collections::HashMap;
use std::fmt;
use std::future::{pending, ready};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt as _};
use redis::aio::PubSub;
use redis::{FromRedisValue, ProtocolVersion, RedisConnectionInfo, Value};
use tokio::time::{sleep, timeout};

use super::dial::{Route, dial_to};
use super::{failure, login};
use crate::error::ConnectProblem;
use crate::store::address::{self, Endpoint, Login, Service};
use crate::util::backoff::Backoff;
use crate::util::lock::Mutex;
use crate::util::warning::warn;

/// How long the others are waited for, once one has answered.
const LATE: Duration = Duration::from_millis(200);
/// How long an attempt to subscribe may take, and a question beside the connection that is there.
const PATIENCE: Duration = Duration::from_secs(1);
/// After how long without news they are asked again.
const SILENCE: Duration = Duration::from_secs(10);

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
    /// Whether it was told that they refuse to be listened to.
    is_told: AtomicBool,
}

impl Sentinels {
    pub(super) fn of(settings: &SentinelSettings) -> Self {
        let SentinelSettings { user, password } = settings.clone();
        Self {
            login: address::login(user, password),
            learned: Mutex::default(),
            is_told: AtomicBool::new(false),
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

    /// That one of them could not be listened to, once, where it is a matter of permissions.
    fn tell(&self, problem: &ConnectProblem, route: &Route) {
        if !matches!(problem, ConnectProblem::Server { .. })
            || self.is_told.swap(true, Ordering::Relaxed)
        {
            return;
        }
        warn!(
            address = %route.address,
            %problem,
            "a Sentinel does not let its failovers be listened for, and is asked every few seconds instead: its user needs \
             `+subscribe` and `&+switch-master`"
        );
    }

    fn info(&self) -> RedisConnectionInfo {
        login::info(self.login.as_ref(), ProtocolVersion::RESP2)
    }
}

/// Where it is.
pub(super) struct Primary {
    pub(super) place: Place,
    /// Counts failovers.
    epoch: u64,
}

/// What one of them knows.
struct Report {
    primary: Primary,
    sentinels: Vec<Place>,
}

/// What the one of them says that knows of the latest failover.
pub(super) async fn primary(service: &Service, route: &Route) -> Result<Primary, ConnectProblem> {
    let places = route.sentinels.places(service);
    let mut asked: FuturesUnordered<_> = places
        .iter()
        .map(|place| ask(place, service, route))
        .collect();
    let (mut latest, mut problems) = (None::<Report>, Vec::new());
    let mut patience = Duration::MAX;
    while let Ok(Some(answer)) = timeout(patience, asked.next()).await {
        match answer {
            Ok(report) => {
                patience = LATE;
                let is_later = |latest: &Report| latest.primary.epoch < report.primary.epoch;
                if latest.as_ref().is_none_or(is_later) {
                    latest = Some(report);
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    drop(asked);
    let report = latest.ok_or_else(|| nobody_knows(problems))?;
    *route.sentinels.learned.lock() = report.sentinels;
    Ok(report.primary)
}

/// Lasting, if all of them say so: one that is blank proves nothing while others are away.
fn nobody_knows(mut problems: Vec<ConnectProblem>) -> ConnectProblem {
    problems.sort_by_key(|problem| !problem.is_lasting());
    let all_last = problems.iter().all(ConnectProblem::is_lasting);
    match problems.into_iter().next() {
        Some(problem) if all_last => problem,
        Some(problem) => ConnectProblem::NoSentinel(Box::new(problem)),
        None => ConnectProblem::Timeout,
    }
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
    let primary = Primary {
        place: place_of(&primary).ok_or(ConnectProblem::Protocol)?,
        epoch: number(&primary, "config-epoch").unwrap_or(0),
    };
    Ok(Report { primary, sentinels })
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

/// Ends when another server than `primary` has become the primary, and never where no Sentinel is asked. It is a
/// hint: what is missed shows at the server itself, which is gone or a replica.
pub(super) async fn overtaken(route: &Route, primary: Option<&Primary>) {
    let (Endpoint::Sentinel(service), Some(primary)) = (&route.address.endpoint, primary) else {
        return pending().await;
    };
    let mut backoff = Backoff::long();
    loop {
        for place in route.sentinels.places(service) {
            if hears(&place, service, route, primary).await {
                return;
            }
        }
        if is_overtaken(service, route, primary).await {
            return;
        }
        sleep(backoff.next()).await;
    }
}

/// Listens to one Sentinel for as long as it lives. Whether there is another primary.
async fn hears(place: &Place, service: &Service, route: &Route, primary: &Primary) -> bool {
    let subscribed = timeout(PATIENCE, subscribe(place, route)).await;
    let mut switches = match subscribed.unwrap_or(Err(ConnectProblem::Timeout)) {
        Ok(subscription) => Box::pin(announced(subscription, service)),
        Err(problem) => {
            route.sentinels.tell(&problem, route);
            return false;
        }
    };
    route.sentinels.is_told.store(false, Ordering::Relaxed);
    // What has happened since the question that led here was announced to others, and so is what happens while
    // the subscription is cut off and does not know it.
    while !is_overtaken(service, route, primary).await {
        match timeout(SILENCE, switches.next()).await {
            Ok(switch) => return switch.is_some(),
            Err(_) => {
                let lives = timeout(PATIENCE, ask(place, service, route)).await;
                if !matches!(lives, Ok(Ok(_))) {
                    return false;
                }
            }
        }
    }
    true
}

/// Whether the Sentinels know of a later failover, to another server: names of the same one may differ.
async fn is_overtaken(service: &Service, route: &Route, primary: &Primary) -> bool {
    let now = timeout(PATIENCE, self::primary(service, route)).await;
    matches!(now, Ok(Ok(now)) if now.epoch > primary.epoch && now.place != primary.place)
}

async fn subscribe(place: &Place, route: &Route) -> Result<PubSub, ConnectProblem> {
    let stream = dial_to(&place.0, place.1, route).await?;
    let opened = PubSub::new(&route.sentinels.info(), stream).await;
    let mut subscription = opened.map_err(|error| failure::of_client(&error))?;
    let subscribed = subscription.subscribe("+switch-master").await;
    subscribed.map_err(|error| failure::of_client(&error))?;
    Ok(subscription)
}

/// The failovers of `service`.
fn announced(subscription: PubSub, service: &Service) -> impl Stream<Item = ()> {
    let of = |message: redis::Msg| {
        let mut words = message.get_payload_bytes().split(|byte| *byte == b' ');
        let is_ours = words.next() == Some(service.name.as_bytes());
        ready(is_ours.then_some(()))
    };
    subscription.into_on_message().filter_map(of)
}
