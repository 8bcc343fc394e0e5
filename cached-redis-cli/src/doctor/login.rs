//! What the login may do, by `ACL DRYRUN`.

use super::{Finding, Level, Patient};
use crate::args::Feature;

/// What is asked about: what for, how bad it is where it is refused, and what then happens.
struct Need {
    command: &'static str,
    feature: Option<Feature>,
    level: Level,
    without: &'static str,
}

const fn base(command: &'static str, level: Level, without: &'static str) -> Need {
    Need {
        command,
        feature: None,
        level,
        without,
    }
}

const fn of(feature: Feature, command: &'static str, without: &'static str) -> Need {
    Need {
        command,
        feature: Some(feature),
        level: Level::Error,
        without,
    }
}

const MISS: &str = "nothing is stored";
const WRITES: Feature = Feature::WriteBehind;
const REFUSED: &str = "writes are not accepted";
const UNAPPLIED: &str = "writes are not applied";

/// `<key>` stands for a key of the namespace, `<events>` and `<stream>` for those of events, `<queue>` for one of writes.
const NEEDS: &[Need] = &[
    base("GET <key>", Level::Error, "nothing is ever found"),
    base(
        "MGET <key>",
        Level::Warning,
        "reads that overlap and those under tags go one by one",
    ),
    base("SET <key> x", Level::Error, MISS),
    base("UNLINK <key>", Level::Error, "invalidations are lost"),
    base("EVALSHA x 1 <key>", Level::Error, MISS),
    base("EVAL x 1 <key>", Level::Error, MISS),
    base("SCRIPT LOAD x", Level::Warning, "scripts are sent whole"),
    base("GETRANGE <key> 0 1", Level::Error, MISS),
    base("STRLEN <key>", Level::Error, MISS),
    base("PEXPIRE <key> 1", Level::Error, MISS),
    base("DEL <key>", Level::Error, "leases are not released"),
    base(
        "TIME",
        Level::Error,
        "the clock of the server is not known to scripts",
    ),
    base(
        "SCAN 0",
        Level::Error,
        "patterns and functions cannot be cleared",
    ),
    base("INFO", Level::Warning, "a failover may go unnoticed"),
    base("PING", Level::Error, "connections do not stay"),
    of(
        Feature::Local,
        "CLIENT TRACKING on",
        "nothing is kept in memory",
    ),
    of(Feature::Events, "PUBLISH <events> x", "events are deferred"),
    of(Feature::Events, "SUBSCRIBE <events>", "no event is heard"),
    of(
        Feature::DurableEvents,
        "XADD <stream> * event x",
        "events are deferred",
    ),
    of(Feature::DurableEvents, "MULTI", "events are deferred"),
    of(Feature::DurableEvents, "EXEC", "events are deferred"),
    of(
        Feature::DurableEvents,
        "XGROUP CREATE <stream> g $",
        "no durable event is heard",
    ),
    of(
        Feature::DurableEvents,
        "XREADGROUP GROUP g c STREAMS <stream> >",
        "no durable event is heard",
    ),
    of(
        Feature::DurableEvents,
        "XACK <stream> g 0-1",
        "events come again",
    ),
    of(
        Feature::DurableEvents,
        "XAUTOCLAIM <stream> g c 1 0",
        "events of one who died stay",
    ),
    of(WRITES, "XADD <queue> * k x", REFUSED),
    of(WRITES, "XLEN <queue>", REFUSED),
    of(WRITES, "HGET <queue> x", REFUSED),
    of(WRITES, "HINCRBY <queue> x 1", REFUSED),
    of(WRITES, "PUBLISH <queue> x", REFUSED),
    of(WRITES, "SUBSCRIBE <queue>", "workers look once a second"),
    of(WRITES, "XRANGE <queue> - +", UNAPPLIED),
    of(WRITES, "XDEL <queue> 0-1", UNAPPLIED),
    of(WRITES, "HDEL <queue> x", UNAPPLIED),
];

/// All that is asked about, in their order.
pub(super) fn commands(namespace: &str) -> Vec<String> {
    let marks = [
        ("<key>", "doctor"),
        ("<events>", "#events"),
        ("<stream>", "#stream"),
        ("<queue>", "#queue:{q}"),
    ];
    let command = |need: &Need| {
        let command = need.command.to_owned();
        marks.iter().fold(command, |command, (mark, name)| {
            command.replace(mark, &format!("{namespace}:{name}"))
        })
    };
    NEEDS.iter().map(command).collect()
}

pub(super) fn look(patient: &Patient<'_>, namespace: &str) -> Vec<Finding> {
    let user = patient.report.user.as_deref().unwrap_or("the login");
    let wanted = NEEDS.iter().zip(&patient.report.allowed);
    let wanted = wanted.filter(|(need, _)| need.feature.is_none_or(|it| patient.uses(it)));
    let wanted: Vec<_> = wanted.collect();
    if wanted.iter().any(|(_, allowed)| allowed.is_none()) {
        return vec![Finding::of(
            Level::Note,
            "login",
            format!("{user} may not ask what it may do"),
            "ACL SETUSER … +acl|dryrun +acl|whoami for whoever runs the doctor",
        )];
    }
    let refused = wanted
        .iter()
        .filter(|(_, allowed)| **allowed == Some(false));
    let found: Vec<_> = refused
        .map(|(need, _)| finding(need, user, namespace))
        .collect();
    match found.is_empty() {
        true => vec![Finding::ok(
            "login",
            format!("{user} may run all that is needed"),
        )],
        false => found,
    }
}

fn finding(need: &Need, user: &str, namespace: &str) -> Finding {
    let command = name(need.command);
    let is_of_channel = command.ends_with("SUBSCRIBE") || command == "PUBLISH";
    let channel = match need.feature {
        Some(WRITES) if is_of_channel => format!(" &{namespace}:#queue:*"),
        _ if is_of_channel => format!(" &{namespace}:#events"),
        _ => String::new(),
    };
    Finding::of(
        need.level,
        "login",
        format!(
            "{user} may not run {command} on {namespace}:*: {}",
            need.without
        ),
        format!(
            "ACL SETUSER {user} +{} ~{namespace}:*{channel}",
            command.replace(' ', "|").to_lowercase()
        ),
    )
}

/// The command without what it is given.
fn name(command: &str) -> String {
    let words = command.split(' ');
    let is_name = |word: &&str| word.bytes().all(|byte| byte.is_ascii_uppercase());
    // `XREADGROUP GROUP` is one command and what it is given.
    let most = if command.starts_with("XREADGROUP") {
        1
    } else {
        2
    };
    words
        .take_while(is_name)
        .take(most)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_named_as_an_acl_names_it() {
        let named = [
            "GET <key>",
            "CLIENT TRACKING on",
            "XREADGROUP GROUP g c",
            "TIME",
        ]
        .map(name);
        assert_eq!(named, ["GET", "CLIENT TRACKING", "XREADGROUP", "TIME"]);
        assert!(
            commands("shop")
                .iter()
                .all(|command| !command.contains('<'))
        );
        assert!(commands("shop").contains(&"PUBLISH shop:#events x".to_owned()));
    }
}
