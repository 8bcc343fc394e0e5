//! What stands under a key.

use cached_redis::operator::{Entry, Inspection, Life, Standing, TagState};
use serde_json::{Value, json};

use crate::Verdict;
use crate::args::Inspect;
use crate::failure::Failure;
use crate::out::{Out, plain, size, time};
use crate::place::Site;

/// How many bytes are shown of a value that nobody here can decode.
const SHOWN: usize = 128;

pub(super) async fn run(site: &Site, args: &Inspect, out: &mut Out) -> Result<Verdict, Failure> {
    let found = site.operator().inspect(&args.key).await?;
    let value = match &found.standing {
        Standing::Entry(entry) | Standing::Pending(entry) if !args.no_value && !entry.negative => {
            Some(value(entry))
        }
        _ => None,
    };
    match out.json {
        true => out.json(&data(&found, value)?)?,
        false => out.facts(&facts(&found, value))?,
    }
    Ok(match found.standing {
        Standing::Nothing => Verdict::Bad,
        _ => Verdict::Good,
    })
}

fn data(found: &Inspection, value: Option<Value>) -> Result<Value, Failure> {
    let mut data = serde_json::to_value(found)?;
    data["standing"]["kind"] = found.standing.kind().into();
    if let Some(value) = value {
        data["value"] = value;
    }
    Ok(data)
}

/// The value; else its bytes, as far as they are shown.
fn value(entry: &Entry) -> Value {
    let hex = || {
        let bytes = entry.payload.iter().take(SHOWN);
        json!({ "hex": bytes.map(|byte| format!("{byte:02x}")).collect::<String>() })
    };
    entry.decoded().unwrap_or_else(hex)
}

fn facts(found: &Inspection, value: Option<Value>) -> Vec<(&'static str, String)> {
    let mut facts = vec![("key", plain(&found.key).into_owned())];
    if let Some(function) = &found.function {
        facts.push(("function", function.clone()));
    }
    let kind = found.standing.kind();
    facts.push(("kind", told(found)));
    if found.standing == Standing::Nothing {
        return facts;
    }
    facts.push(("size", size(found.bytes)));
    facts.push((
        "ends",
        match found.ttl {
            Some(left) => format!("in {}", time(left)),
            None if kind == "pending" => "when it was written to its source".to_owned(),
            None => "never, which nothing of the cache does".to_owned(),
        },
    ));
    match &found.standing {
        Standing::Entry(entry) => facts.extend(of_entry(entry)),
        Standing::Pending(entry) => facts.push(("age", time(entry.age))),
        _ => {}
    }
    if let Some(value) = value {
        facts.push(("value", shown(&value)));
    }
    facts
}

fn told(found: &Inspection) -> String {
    let told = match &found.standing {
        Standing::Nothing => ": the next reader loads",
        Standing::Entry(entry) if entry.negative => ": a known absence",
        Standing::Lease => ": somebody is loading",
        Standing::Pending(_) => ": it is still to be written to its source",
        Standing::Foreign => ": the cache has not written this, and takes it for a miss",
        Standing::Tombstone { writers, hold_off } => {
            let hold_off = if *hold_off {
                ", and for replicas that lag"
            } else {
                ""
            };
            return format!("tombstone: nobody may fill, for {writers} writers{hold_off}");
        }
        _ => "",
    };
    format!("{}{told}", found.standing.kind())
}

fn of_entry(entry: &Entry) -> Vec<(&'static str, String)> {
    let mut facts = vec![("age", time(entry.age))];
    facts.push((
        "fresh",
        match entry.fresh_for {
            None => "as long as it stands".to_owned(),
            Some(left) if left.is_zero() => "no longer: past its TTL".to_owned(),
            Some(left) => format!("for {}", time(left)),
        },
    ));
    facts.push(("load took", time(entry.load_time)));
    if !entry.negative {
        facts.push(("codec", entry.codec.clone()));
        facts.push(("type", format!("fingerprint {:08x}", entry.fingerprint)));
    }
    if let Some(version) = entry.version {
        facts.push(("version", version.to_string()));
    }
    if entry.epoch != 0 || entry.epoch_is_current == Some(false) {
        let current = match entry.epoch_is_current {
            Some(true) => "that of the server",
            Some(false) => "not that of the server",
            None => "whether it is that of the server is not known",
        };
        facts.push(("epoch", format!("{}, {current}", entry.epoch)));
    }
    if !entry.tags.is_empty() {
        facts.push(("tags", tags(entry)));
    }
    facts.push(("readers", readers(entry).to_owned()));
    facts
}

fn tags(entry: &Entry) -> String {
    let tags = entry.tags.iter().map(|tag| {
        let state = match tag.state {
            TagState::Stands => "stands",
            TagState::Gone => "gone: it was invalidated",
            TagState::Barred => "barred by a writer",
            _ => "unknown",
        };
        format!("{} {state}", plain(&tag.name))
    });
    tags.collect::<Vec<_>>().join("\n")
}

fn readers(entry: &Entry) -> &'static str {
    let is_gone = |state| entry.tags.iter().any(|tag| tag.state == state);
    match entry.life {
        Life::Alive => "take it, if it is of their type",
        Life::Dead if entry.epoch_is_current == Some(false) => {
            "load anew: it is from before a failover"
        }
        Life::Dead if is_gone(TagState::Gone) => "load anew: a tag is gone",
        Life::Dead => "load anew: one of its tags was invalidated since, and loaded under again",
        Life::Barred => "load for themselves: a tag is barred",
        _ => "cannot be told: not all of its tags are known without the catalogue of its program",
    }
}

fn shown(value: &Value) -> String {
    match value.get("hex") {
        Some(Value::String(hex)) if value.as_object().is_some_and(|it| it.len() == 1) => {
            format!("{hex} (the first {SHOWN} bytes at most; only the program can decode them)")
        }
        _ => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}
