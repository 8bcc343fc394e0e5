//! The steps of the store in a log, one for each key that they name.

use std::collections::HashMap;

use serde_json::Value;

use super::{Event, Line, Refused, Time, refused};

/// One step on one key. Entries are named by their tokens, the generations of tags by themselves.
pub(super) struct Op<'a> {
    /// The line of its answer, or of its call if it has none.
    pub(super) line: usize,
    pub(super) process: u64,
    pub(super) key: &'a str,
    pub(super) called: Time,
    /// By then it has run; never, if it was given up.
    pub(super) answered: Time,
    /// How long what it has put there lives.
    pub(super) life: Time,
    pub(super) act: Act<'a>,
    /// `None`: that is not known, nor whether it has run.
    pub(super) told: Option<Told<'a>>,
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act<'a> {
    Get,
    Acquire {
        over: Option<&'a str>,
        lease: &'a str,
    },
    Seize {
        lease: &'a str,
    },
    Extend {
        token: &'a str,
    },
    Fill {
        token: &'a str,
        entry: &'a str,
    },
    Release {
        token: &'a str,
    },
    Remove,
    Invalidate,
    Begin {
        writer: &'a str,
    },
    Hold {
        writer: &'a str,
    },
    End {
        writer: &'a str,
    },
    Put {
        writer: &'a str,
        entry: &'a str,
    },
    Stamp {
        generation: &'a str,
    },
}

/// What it has answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told<'a> {
    Nothing,
    Lease(&'a str),
    Value(&'a str),
    Tombstone,
    Yes,
    No,
    /// Of a put: the key was invalidated instead.
    Ended,
}

/// All of them, in the order of their calls.
pub(super) fn of(lines: &[Line]) -> Result<Vec<Op<'_>>, Refused> {
    let (mut ops, mut open) = (Vec::new(), HashMap::new());
    let mut answers = HashMap::new();
    for line in lines {
        match &line.event {
            Event::Call { call, .. } => {
                open.insert((line.process, *call), line);
            }
            Event::Answer { call, answer } => {
                let call = open.remove(&(line.process, *call));
                let call = call.ok_or_else(|| refused(line.number, "it answers no call"))?;
                answers.insert(call.number, (line, answer));
            }
            _ => {}
        }
    }
    for line in lines {
        if let Event::Call { step, given, .. } = &line.event {
            let answer = answers.get(&line.number).copied();
            let taken = taken(step, given, answer.map(|(_, answer)| answer));
            let taken = taken.ok_or_else(|| refused(line.number, "it is no step of the store"))?;
            let answer = answer.map(|(line, _)| line);
            ops.extend(taken.into_iter().map(|taken| op(line, taken, answer)));
        }
    }
    end_by_release(&mut ops);
    Ok(ops)
}

/// The key, what is done to it, how long that lives, and what was answered.
type Taken<'a> = (&'a str, Act<'a>, Time, Option<Told<'a>>);

fn op<'a>(call: &Line, (key, act, life, told): Taken<'a>, answer: Option<&Line>) -> Op<'a> {
    let answered = answer.filter(|_| told.is_some());
    Op {
        line: answer.unwrap_or(call).number,
        process: call.process,
        key,
        called: call.at,
        answered: answered.map_or(Time::MAX, |answer| answer.at),
        life,
        act,
        told,
    }
}

fn taken<'a>(step: &str, given: &'a [Value], answer: Option<&'a Value>) -> Option<Vec<Taken<'a>>> {
    let answer_to = |at| answer.and_then(|answers| answers.get(at));
    let first = given.first()?;
    match step {
        "acquire_all" | "seize_all" | "extend_all" | "fill_all" | "release_all" => {
            let each = named(first)?;
            let one = |(at, one)| of_many(step, one, &given[1..], ok(answer_to(at)));
            each.map(one).collect()
        }
        "get_all" | "stamp" | "invalidate" | "invalidate_guarded" | "begin" | "hold" | "end" => {
            let each = named(first)?;
            let all = ok(answer);
            let told = |at| match (step, all?) {
                ("get_all" | "stamp", all) => all.get(at),
                // Of several keys one has said no.
                (_, Value::Bool(false)) if first.get(1).is_some() => None,
                (_, all) => Some(all),
            };
            let one = |(at, one)| on_keys(step, one, &given[1..], told(at).map(Told::of));
            each.map(one).collect()
        }
        _ => on_key(step, given, ok(answer)),
    }
}

/// Those in a list that are about a key of the log.
fn named(each: &Value) -> Option<impl Iterator<Item = (usize, &Value)>> {
    let has_name = |(_, one): &(usize, &Value)| {
        let mut one = *one;
        while let Some(key) = one.get(0) {
            one = key;
        }
        one.is_string()
    };
    Some(each.as_array()?.iter().enumerate().filter(has_name))
}

/// A step on one key.
fn on_key<'a>(step: &str, given: &'a [Value], ok: Option<&'a Value>) -> Option<Vec<Taken<'a>>> {
    let word = |at: usize| given.get(at)?.as_str();
    let token_at = |at| word(at).map(token);
    let mut told = ok.map(Told::of);
    let (act, life) = match step {
        "get" => (Act::Get, None),
        "acquire" => {
            let lease = token_at(1)?;
            told = ok.map(|standing| Told::granted(standing, lease));
            (Act::Acquire { over: None, lease }, given.get(2))
        }
        "acquire_over" => {
            let (over, lease) = (token_at(1), token_at(2)?);
            (Act::Acquire { over, lease }, given.get(3))
        }
        "seize" => (
            Act::Seize {
                lease: token_at(1)?,
            },
            given.get(2),
        ),
        "extend" => (Act::Extend { token: word(1)? }, None),
        "release" => (Act::Release { token: word(1)? }, None),
        "fill" => {
            let (token, entry) = (word(1)?, token_at(2)?);
            (Act::Fill { token, entry }, given.get(3))
        }
        "put" => {
            let (writer, entry) = (word(1)?, token_at(2)?);
            (Act::Put { writer, entry }, given.get(3))
        }
        // Nothing that stands under the key of an entry or of a tag.
        "bar" | "scan" | "lock" | "extend_lock" | "unlock" | "publish" => return Some(Vec::new()),
        _ => return None,
    };
    Some(vec![(word(0)?, act, time(life), told)])
}

/// A step on several keys at once, to one of them.
fn on_keys<'a>(
    step: &str,
    one: &'a Value,
    rest: &'a [Value],
    told: Option<Told<'a>>,
) -> Option<Taken<'a>> {
    let word = || rest.first()?.as_str();
    let (act, life) = match step {
        "get_all" => (Act::Get, None),
        "invalidate" => (Act::Remove, None),
        "invalidate_guarded" => (Act::Invalidate, None),
        "begin" => (Act::Begin { writer: word()? }, rest.get(1)),
        "hold" => (Act::Hold { writer: word()? }, None),
        "end" => (Act::End { writer: word()? }, None),
        _ => {
            let (tag, generation) = (one.get(0)?.as_str()?, one.get(1)?.as_str()?);
            return Some((tag, Act::Stamp { generation }, time(rest.first()), told));
        }
    };
    Some((one.as_str()?, act, time(life), told))
}

/// One of many steps that were sent together.
fn of_many<'a>(
    step: &str,
    one: &'a Value,
    rest: &'a [Value],
    ok: Option<&'a Value>,
) -> Option<Taken<'a>> {
    let word = || rest.first()?.as_str();
    let (told, life) = (ok.map(Told::of), rest.get(1));
    Some(match step {
        "acquire_all" => {
            let (over, lease) = (one.get(1)?.as_str().map(token), token(word()?));
            let told = ok.map(|granted| match granted.is_boolean() {
                true => Told::of(granted),
                false => Told::granted(granted, lease),
            });
            (
                one.get(0)?.as_str()?,
                Act::Acquire { over, lease },
                time(life),
                told,
            )
        }
        "seize_all" => (
            one.as_str()?,
            Act::Seize {
                lease: token(word()?),
            },
            time(life),
            told,
        ),
        "extend_all" => (one.as_str()?, Act::Extend { token: word()? }, 0, told),
        "release_all" => (one.as_str()?, Act::Release { token: word()? }, 0, told),
        _ => {
            let [under, with] = [one.get(0)?, one.get(1)?];
            let entry = token(with.get(0)?.as_str()?);
            let act = Act::Fill {
                token: under.get(1)?.as_str()?,
                entry,
            };
            (under.get(0)?.as_str()?, act, time(with.get(1)), told)
        }
    })
}

/// A lease that was asked for in vain is released, by a command behind the one that asked.
fn end_by_release(ops: &mut [Op<'_>]) {
    let released = ops.iter().filter_map(|op| match op.act {
        Act::Release { token } => Some(((op.process, op.key, token), op.answered)),
        _ => None,
    });
    let released: HashMap<_, _> = released.collect();
    for op in ops.iter_mut().filter(|op| op.told.is_none()) {
        if let Act::Acquire { lease, .. } | Act::Seize { lease } = op.act {
            let by = released.get(&(op.process, op.key, lease));
            op.answered = by.copied().unwrap_or(Time::MAX);
        }
    }
}

impl Op<'_> {
    /// Whether it has got a lease.
    pub(super) fn is_grant(&self) -> bool {
        let asks = matches!(self.act, Act::Acquire { .. } | Act::Seize { .. });
        asks && self.told == Some(Told::Yes)
    }

    /// Whether it changes nothing, as it was answered.
    pub(super) fn is_read(&self) -> bool {
        match (self.act, self.told) {
            (Act::Get | Act::Extend { .. } | Act::Hold { .. }, _) => true,
            (_, None) => false,
            (Act::Acquire { .. }, Some(told)) => told != Told::Yes,
            (Act::Seize { .. } | Act::Fill { .. } | Act::Release { .. }, Some(told)) => {
                told == Told::No
            }
            (Act::Stamp { generation }, Some(told)) => told != Told::Value(generation),
            _ => false,
        }
    }
}

impl<'a> Told<'a> {
    fn of(answer: &'a Value) -> Self {
        match answer {
            Value::Bool(true) => Self::Yes,
            Value::Bool(false) => Self::No,
            Value::String(name) => Self::named(name),
            _ => Self::Nothing,
        }
    }

    fn named(name: &'a str) -> Self {
        match name {
            "Stored" => Self::Yes,
            "Ended" => Self::Ended,
            "Lapsed" => Self::No,
            _ if name.starts_with('L') => Self::Lease(token(name)),
            _ if name.starts_with('T') => Self::Tombstone,
            _ => Self::Value(token(name)),
        }
    }

    /// What stands in the place of a lease that was asked for; the own one may, if it was sent twice.
    fn granted(standing: &'a Value, lease: &str) -> Self {
        match Self::of(standing) {
            Self::Nothing => Self::Yes,
            Self::Lease(standing) if standing == lease => Self::Yes,
            told => told,
        }
    }
}

/// The name of an entry without its kind.
fn token(name: &str) -> &str {
    name.trim_start_matches(|kind: char| kind.is_ascii_uppercase())
}

fn ok(answer: Option<&Value>) -> Option<&Value> {
    answer?.get("Ok")
}

fn time(seconds: Option<&Value>) -> Time {
    (seconds.and_then(Value::as_f64).unwrap_or(0.0) * 1e9) as Time
}
