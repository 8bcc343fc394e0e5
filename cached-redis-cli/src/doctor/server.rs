//! What the server is, how fast it answers, and what its clock says.

use std::time::Duration;

use super::{Finding, Level, Patient};
use crate::args::{Feature, OnFailover};
use crate::out::time;

/// What an operation has by default: the library's `deadline`.
const DEADLINE: Duration = Duration::from_millis(100);

/// Beyond, times of life are visibly off.
const CLOCK: u64 = 1000;

pub(super) fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let found = [
        Some(version(patient)),
        Some(latency(patient)),
        clock(patient),
        cluster(patient),
        replicas(patient),
        tracking(patient),
        idle(patient),
    ];
    found.into_iter().flatten().collect()
}

fn version(patient: &Patient<'_>) -> Finding {
    let valkey = patient.info("valkey_version");
    let version = match valkey {
        "" => format!("Redis {}", patient.info("redis_version")),
        version => format!("Valkey {version}"),
    };
    let modes = ["redis_mode", "server_mode"].map(|name| patient.info(name));
    let mode = modes.into_iter().find(|mode| !mode.is_empty());
    match patient.report.info.is_empty() {
        false => Finding::ok(
            "server",
            format!("{version}, {}", mode.unwrap_or("standalone")),
        ),
        true => Finding::of(
            Level::Warning,
            "server",
            "the login may not ask for INFO: much of what follows is not known",
            "ACL SETUSER … +info",
        ),
    }
}

fn latency(patient: &Patient<'_>) -> Finding {
    let mut times = patient.report.round_trips.clone();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len().saturating_sub(1) * share / 100);
    let (half, most) = (at(50).copied(), at(99).copied());
    let (half, most) = (half.unwrap_or_default(), most.unwrap_or_default());
    let told = format!(
        "half of the round trips within {}, 99 % within {}",
        short(half),
        short(most)
    );
    match most < DEADLINE {
        true => Finding::ok("latency", told),
        false => Finding::of(
            Level::Warning,
            "latency",
            format!(
                "{told}: operations of the cache give up after {} by default",
                time(DEADLINE)
            ),
            "look for slow commands (SLOWLOG GET), swapping and the network; or give the cache a longer `deadline`",
        ),
    }
}

/// Shorter than a millisecond, too.
fn short(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn clock(patient: &Patient<'_>) -> Option<Finding> {
    let ahead = patient.report.clock_ahead_ms?;
    let off = Duration::from_millis(ahead.unsigned_abs());
    if ahead.unsigned_abs() <= CLOCK {
        return Some(Finding::ok(
            "clock",
            "that of the server is that of this machine, to a second",
        ));
    }
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    Some(Finding::of(
        Level::Warning,
        "clock",
        format!(
            "that of the server is {} {direction} that of this machine",
            time(off)
        ),
        "the cache goes by the server's and is right all the same; logs and TTLs of others are not: set up NTP",
    ))
}

fn cluster(patient: &Patient<'_>) -> Option<Finding> {
    let cluster = |name: &str| patient.report.cluster.get(name).map(String::as_str);
    let state = cluster("cluster_state")?;
    let known = cluster("cluster_slots_assigned").unwrap_or_default();
    let finding = format!("state {state}, {known} of 16384 slots are assigned");
    if state == "ok" && known == "16384" {
        return Some(Finding::ok("cluster", finding));
    }
    Some(Finding::of(
        Level::Error,
        "cluster",
        finding,
        "functions whose keys have no server run uncached: redis-cli --cluster check, and --cluster fix",
    ))
}

fn replicas(patient: &Patient<'_>) -> Option<Finding> {
    let replicas = patient.number("connected_slaves")?;
    let offset = patient.number("master_repl_offset").unwrap_or(0);
    let lag = |at: u64| {
        let line = patient.info(&format!("slave{at}")).to_owned();
        let of = line
            .split(',')
            .find_map(|it| it.strip_prefix("offset="))?
            .parse::<u64>()
            .ok()?;
        Some(offset.saturating_sub(of))
    };
    let most = (0..replicas).filter_map(lag).max().unwrap_or(0);
    if replicas == 0 {
        return Some(Finding::ok("replicas", "none"));
    }
    let told = format!("{replicas}, at most {most} bytes behind");
    Some(match patient.args.on_failover {
        OnFailover::Ttl => Finding::of(
            Level::Warning,
            "replicas",
            format!("{told}; one that takes over may lack invalidations that were confirmed"),
            "with `on_failover` at `Ttl` their entries are served until their TTL: take `Replay` or `Epoch`",
        ),
        _ => Finding::ok("replicas", told),
    })
}

fn tracking(patient: &Patient<'_>) -> Option<Finding> {
    if !patient.uses(Feature::Local) {
        return None;
    }
    let most: u64 = patient.config("tracking-table-max-keys")?.parse().ok()?;
    let now = patient.number("tracking_total_keys").unwrap_or(0);
    let told = format!("{now} keys are tracked, {most} at most");
    match most > 0 && now * 10 >= most * 9 {
        false => Some(Finding::ok("tracking", told)),
        true => Some(Finding::of(
            Level::Warning,
            "tracking",
            format!("{told}: beyond, the server makes processes forget what they keep in memory"),
            "CONFIG SET tracking-table-max-keys, or fewer functions with `local`",
        )),
    }
}

fn idle(patient: &Patient<'_>) -> Option<Finding> {
    let timeout = patient
        .config("timeout")
        .filter(|timeout| *timeout != "0")?;
    Some(Finding::of(
        Level::Note,
        "timeout",
        format!("the server closes connections that are idle for {timeout} s"),
        "those of the cache are not, which ask for a sign of life each second; listeners connect anew",
    ))
}
