//! From an address to a connection that is ready for every step.
//!
//! A connection is handed out only after the handshake, so the first operation finds the scripts on
//! the server and its clock known. The server's error texts are never passed on: the one for an
//! unknown HELLO quotes the arguments, password included.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Pipeline, ProtocolVersion, PushInfo, Value};

use super::agreement::Standing;
use super::batch::Batches;
use super::dial::{Route, dial, dial_found};
use super::facts::{Facts, Identity};
use super::login::{config, info, log_in};
use super::mux::Mux;
use super::sentinel::Primary;
use super::tracking::Tracking;
use super::{epoch, failure, login, reply, script};
use crate::error::{ConnectProblem, StoreError};
use crate::util::background::Background;

pub(super) struct Opened {
    pub(super) connection: MultiplexedConnection,
    /// Ends with the connection.
    pub(super) driver: Background,
    /// What to add to the local clock, in ms, to have the server's; `None`: the server did not say.
    pub(super) clock_offset: Option<i64>,
    /// 0 where it was not asked for.
    pub(super) epoch: u32,
    /// Which life of which server this is.
    pub(super) identity: Identity,
    /// Whether its memory has a limit, or it does not say so.
    pub(super) is_bounded: bool,
    /// Under which reads are collected for it.
    pub(super) number: u64,
    /// Where Sentinels have led to, if they were asked.
    pub(super) primary: Option<Primary>,
    /// What it is good for, if it was opened for announcements.
    pub(super) standing: Standing,
}

/// Connects and logs in with RESP3, or RESP2 where HELLO is refused. With the key of an epoch and
/// the last one seen, the server's is agreed on.
pub(super) async fn open(
    route: &Route,
    epoch: Option<(&str, u32)>,
    batches: &Arc<Batches>,
) -> Result<Opened, ConnectProblem> {
    let (mut opened, _) = start_either(route, batches, config).await?;
    if let Some((key, seen)) = epoch {
        let agreed = match route.is_shard {
            true => opened.identity.epoch().ok_or(StoreError::Answer),
            false => epoch::agree(&mut opened.connection, key, seen).await,
        };
        opened.epoch = agreed.map_err(|error| ConnectProblem::Epoch(Box::new(error)))?;
    }
    Ok(opened)
}

/// The same for reads whose changes are announced to `tracking`, which RESP3 alone can do. The epoch is that
/// of the steps, as it is the same server or nothing that is read there counts.
pub(super) async fn open_tracked(
    route: &Route,
    tracking: &Arc<Tracking>,
    batches: &Arc<Batches>,
) -> Result<Opened, ConnectProblem> {
    let announced = |tracking: Arc<Tracking>| {
        move |push: PushInfo| {
            tracking.announced(&push);
            Ok::<_, Infallible>(())
        }
    };
    let config = || config().set_push_sender(announced(Arc::clone(tracking)));
    let (mut opened, protocol) = start_either(route, batches, config).await?;
    let hears = protocol == ProtocolVersion::RESP3;
    opened.standing = tracking.begin(&mut opened.connection, hears).await?;
    Ok(opened)
}

/// With RESP3 and `config`, or RESP2 where HELLO is refused.
async fn start_either(
    route: &Route,
    batches: &Arc<Batches>,
    config: impl Fn() -> AsyncConnectionConfig,
) -> Result<(Opened, ProtocolVersion), ConnectProblem> {
    let (three, two) = (ProtocolVersion::RESP3, ProtocolVersion::RESP2);
    match start(route, three, batches, config()).await {
        // Any other refusal would only be repeated, or less clear.
        Err(first) if is_of_hello(&first, route) => {
            let second = start(route, two, batches, login::config()).await;
            let second = second.map_err(|second| match second {
                ConnectProblem::Closed => first,
                second => second,
            });
            Ok((second?, two))
        }
        other => Ok((other?, three)),
    }
}

/// Whether it may be HELLO itself that is refused. Valkey 9 asks for the login that is in one which it does not know.
fn is_of_hello(problem: &ConnectProblem, route: &Route) -> bool {
    match problem {
        ConnectProblem::Server { .. } => true,
        ConnectProblem::LoginMissing => route.address.login.is_some(),
        _ => false,
    }
}

async fn start(
    route: &Route,
    protocol: ProtocolVersion,
    batches: &Arc<Batches>,
    config: AsyncConnectionConfig,
) -> Result<Opened, ConnectProblem> {
    let info = info(route.address.login.as_ref(), protocol);
    let (stream, primary) = dial_found(route).await?;
    let stream = Mux::new(stream, Arc::clone(batches));
    let number = stream.number();
    let (connection, driver) = log_in(&info, config, stream).await?;
    let prepared = prepare(connection, driver, route).await?;
    Ok(Opened {
        number,
        primary,
        ..prepared
    })
}

/// A connection for commands that block, and so for one user. What it carries is the same under
/// either protocol, so there is no HELLO to be refused.
pub(super) async fn open_bare(
    route: &Route,
) -> Result<(MultiplexedConnection, Background), ConnectProblem> {
    let info = info(route.address.login.as_ref(), ProtocolVersion::RESP2);
    let (mut connection, driver) = log_in(&info, config(), dial(route).await?).await?;
    let database = route.address.database;
    let answers = send(&mut connection, &introduction(database)).await?;
    introduced(database, &mut answers.into_iter())?;
    Ok((connection, driver))
}

/// A connection for subscriptions, which are the same in every database.
pub(super) async fn open_pubsub(route: &Route) -> Result<PubSub, ConnectProblem> {
    let info = info(route.address.login.as_ref(), ProtocolVersion::RESP2);
    let opened = PubSub::new(&info, dial(route).await?).await;
    opened.map_err(|error| failure::of_client(&error))
}

/// Chooses the database, and says whose connection this is: an older server, or one that does not
/// care, answers the latter with an error.
fn introduction(database: u32) -> Pipeline {
    let mut pipeline = redis::pipe();
    if database != 0 {
        pipeline.cmd("SELECT").arg(database);
    }
    for (what, value) in [
        ("LIB-NAME", env!("CARGO_PKG_NAME")),
        ("LIB-VER", env!("CARGO_PKG_VERSION")),
    ] {
        pipeline.cmd("CLIENT").arg("SETINFO").arg(what).arg(value);
    }
    pipeline
}

/// Takes the answers to an introduction from `answers`.
fn introduced(
    database: u32,
    answers: &mut impl Iterator<Item = Value>,
) -> Result<(), ConnectProblem> {
    let selected = (database != 0).then(|| answers.next()).flatten();
    answers.by_ref().take(2).for_each(drop);
    match selected {
        Some(Value::ServerError(error)) => Err(failure::of_server(&error)),
        _ => Ok(()),
    }
}

/// What is asked of a new connection, in the order in which [`prepare`] takes the answers.
fn questions(route: &Route, sections: &[&str]) -> Pipeline {
    let mut pipeline = introduction(route.address.database);
    pipeline.cmd("HELLO");
    for section in sections {
        pipeline.cmd("INFO").arg(*section);
    }
    if let Some(key) = route.marker() {
        pipeline.cmd("GET").arg(key);
    }
    pipeline.cmd("TIME");
    for script in script::LOADED {
        pipeline.cmd("SCRIPT").arg("LOAD").arg(script.source());
    }
    pipeline
}

/// Introduces us, asks for what the server says of itself and for the time, and loads the scripts, in
/// one round trip. A login that may do none of it is no reason to go without a connection: scripts
/// can be sent in full, clocks be taken as equal, and servers as different.
async fn prepare(
    mut connection: MultiplexedConnection,
    driver: Background,
    route: &Route,
) -> Result<Opened, ConnectProblem> {
    let mut sections = vec!["server", "replication", "memory"];
    sections.extend(route.pending.is_synced().then_some("persistence"));
    let pipeline = questions(route, &sections);
    let asked = local_ms();
    let answers = send(&mut connection, &pipeline).await?;
    let answered = local_ms();
    let mut answers = answers.into_iter();
    let selected = introduced(route.address.database, &mut answers);
    let mut facts = Facts::default();
    answers
        .by_ref()
        .take(1 + sections.len())
        .for_each(|answer| facts.learn(answer));
    if let Some(problem) = facts.problem(route.is_shard) {
        return Err(problem);
    }
    selected?;
    let marked = route.marker().and_then(|_| answers.next());
    let is_marked = matches!(marked, Some(Value::BulkString(_)));
    pending(&mut connection, &facts, route, is_marked).await?;
    let server = answers.next().and_then(reply::time_ms);
    Ok(Opened {
        connection,
        driver,
        clock_offset: server.map(|server| offset(server, asked, answered)),
        epoch: 0,
        identity: facts.identity(),
        is_bounded: facts.is_bounded(),
        number: 0,
        primary: None,
        standing: Standing::Down,
    })
}

/// Where values may be pending, every process has to know, and the server must not evict them. On a cluster, where it
/// stands in one slot, `build` and the first of them see to the former.
async fn pending(
    connection: &mut MultiplexedConnection,
    facts: &Facts,
    route: &Route,
    is_marked: bool,
) -> Result<(), ConnectProblem> {
    let pending = &route.pending;
    if pending.allowed {
        facts.evicts()?;
    }
    if pending.is_synced() {
        facts.syncs()?;
    }
    match route.marker() {
        Some(_) if is_marked && !pending.spared => Err(ConnectProblem::WriteBehind),
        Some(key) if !is_marked && pending.allowed => mark(connection, key).await,
        _ => Ok(()),
    }
}

async fn mark(connection: &mut MultiplexedConnection, key: &str) -> Result<(), ConnectProblem> {
    let mut set = redis::pipe();
    set.cmd("SET").arg(key).arg(1);
    match send(connection, &set).await?.pop() {
        Some(Value::ServerError(error)) => Err(failure::of_server(&error)),
        _ => Ok(()),
    }
}

pub(super) async fn send(
    connection: &mut MultiplexedConnection,
    commands: &Pipeline,
) -> Result<Vec<Value>, ConnectProblem> {
    let answers = connection.send_packed_commands(commands, 0, commands.len());
    answers.await.map_err(|error| failure::of_client(&error))
}

/// What to add to the local clock to have the server's, which it told between the two times.
fn offset(server: u64, asked: u64, answered: u64) -> i64 {
    server.wrapping_sub(asked.midpoint(answered)) as i64
}

/// The local clock, in ms since the Unix epoch: what the system's clock said when it was first asked,
/// going on steadily from there. Between two connections nobody compares it with the server's, so it
/// must not jump when somebody sets it.
pub(super) fn local_ms() -> u64 {
    static FIRST: LazyLock<(Instant, SystemTime)> =
        LazyLock::new(|| (Instant::now(), SystemTime::now()));
    let (begun, clock) = *FIRST;
    let since = (clock + begun.elapsed()).duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    #[test]
    fn clocks_a_minute_apart_agree_on_the_servers_but_for_half_a_round_trip() {
        let (server, round_trip) = (1_800_000_000_000, 40);
        for local in [server - MINUTE, server, server + MINUTE] {
            let offset = offset(server, local, local + round_trip);
            let estimate = (local + round_trip).saturating_add_signed(offset);
            assert_eq!(estimate, server + round_trip / 2, "{local}");
        }
    }

    #[test]
    fn the_local_clock_goes_on_from_the_systems() {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let first = local_ms();
        assert!(first.abs_diff(system.as_millis() as u64) < MINUTE);
        assert!(local_ms() >= first);
    }
}
