//! Whether the answers of the store about one key are those of a store that takes one step after the
//! other, each at one moment between its call and its answer.
//!
//! That is linearizability (Herlihy and Wing), decided as by Wing and Gong, and Lowe: all orders are
//! tried, but only when an answer has to be explained, and no moment twice. What changes nothing is taken
//! as soon as its answer fits.

use std::collections::{HashMap, HashSet};

use super::ops::{Act, Op, Told};
use super::{Refused, Time, refused};
use crate::actor::Stamp;
use crate::server::{self, Condition};
use crate::state::Key;

/// The server counts time by a clock of its own, in whole milliseconds.
const SLACK: Time = 20_000_000;

/// The places of writers in tombstones.
type Places<'a> = HashMap<&'a str, usize>;

/// Replays the steps on one key, in the order of their calls.
pub(super) fn check(ops: &[&Op<'_>]) -> Result<(), Refused> {
    let ops = ops.iter().copied();
    let ops: Vec<_> = ops
        .filter(|op| op.told.is_some() || !op.is_read())
        .collect();
    let places = places(&ops);
    let calls = ops
        .iter()
        .enumerate()
        .map(|(at, op)| (op.called, false, at));
    let answers = ops
        .iter()
        .enumerate()
        .map(|(at, op)| (op.answered, true, at));
    let mut moments: Vec<_> = calls
        .chain(answers)
        .filter(|(time, ..)| *time != Time::MAX)
        .collect();
    moments.sort_unstable();
    let mut worlds = HashSet::from([World::default()]);
    let mut pending = Vec::new();
    for (time, is_answer, at) in moments {
        if !is_answer {
            pending.push((at, ops[at]));
            continue;
        }
        worlds = explain(&worlds, &pending, &places, at, time);
        pending.retain(|(other, _)| *other != at);
        if worlds.is_empty() {
            let Op {
                line, act, told, ..
            } = ops[at];
            let why = format!("no order of the steps has this answer: {act:?} {told:?}");
            return Err(refused(*line, why));
        }
    }
    Ok(())
}

/// What may be the case: what stands under the key, and at least until when; and which steps have been
/// taken that are not answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World<'a> {
    key: Key<&'a str>,
    until: Time,
    taken: Vec<usize>,
}

impl Default for World<'_> {
    fn default() -> Self {
        Self {
            key: Key::Absent,
            until: Time::MAX,
            taken: Vec::new(),
        }
    }
}

/// All that may be the case once step `at` is answered.
fn explain<'a>(
    worlds: &HashSet<World<'a>>,
    pending: &[(usize, &Op<'a>)],
    places: &Places<'a>,
    at: usize,
    time: Time,
) -> HashSet<World<'a>> {
    let given_up = |other: &(usize, &Op<'_>)| other.0 == at && other.1.told.is_none();
    let optional = pending.iter().any(given_up);
    let (mut explained, mut seen) = (HashSet::new(), HashSet::new());
    let mut open: Vec<_> = worlds.iter().cloned().collect();
    while let Some(mut world) = open.pop() {
        world.settle(pending, places);
        let done = world.taken.contains(&at);
        if done || optional {
            explained.insert(world.clone().without(at));
        }
        if done || !seen.insert(world.clone()) {
            continue;
        }
        let changes = pending.iter().filter(|(_, op)| !op.is_read());
        open.extend(changes.filter_map(|(other, op)| world.after(*other, op, places)));
        open.extend(world.expired(time));
    }
    explained
}

impl<'a> World<'a> {
    /// Takes what changes nothing, and fits.
    fn settle(&mut self, pending: &[(usize, &Op<'a>)], places: &Places<'a>) {
        for (at, op) in pending.iter().filter(|(_, op)| op.is_read()) {
            let mut key = self.key;
            if !self.taken.contains(at) && Some(run(op.act, &mut key, places)) == op.told {
                self.taken.push(*at);
            }
        }
        self.taken.sort_unstable();
    }

    /// This, and then a step that changes something; `None`: it was taken, or was not answered so.
    fn after(&self, at: usize, op: &Op<'a>, places: &Places<'a>) -> Option<Self> {
        let mut world = self.clone();
        let told = run(op.act, &mut world.key, places);
        if self.taken.contains(&at) || op.told.is_some_and(|answer| answer != told) {
            return None;
        }
        let until = op.called.saturating_add(op.life).saturating_sub(SLACK);
        world.until = match (self.key, world.key) {
            (_, Key::Absent) => Time::MAX,
            (before, now) if before == now => self.until,
            // The first of its writers to lapse, as far as that is known.
            (Key::Tombstone { .. }, Key::Tombstone { .. }) => match op.act {
                Act::Begin { .. } => self.until.min(until),
                _ => self.until,
            },
            _ => until,
        };
        world.taken.push(at);
        Some(world)
    }

    /// What stands there has run out by this time.
    fn expired(&self, time: Time) -> Option<Self> {
        (self.until <= time).then(|| Self {
            taken: self.taken.clone(),
            ..Self::default()
        })
    }

    fn without(mut self, at: usize) -> Self {
        self.taken.retain(|other| *other != at);
        self
    }
}

/// What the model's store does and answers.
fn run<'a>(act: Act<'a>, key: &mut Key<&'a str>, places: &Places<'a>) -> Told<'a> {
    let before = *key;
    let writes = |writer| match before {
        Key::Tombstone { writers, .. } => writers & server::bit(places[writer]) != 0,
        _ => false,
    };
    match act {
        Act::Get => shown(before),
        Act::Acquire { over, lease } => match server::acquire(key, over, leased(lease)) {
            true => Told::Yes,
            false if over.is_some() => Told::No,
            false => shown(before),
        },
        Act::Seize { lease } => yes(server::seize(key, leased(lease), true)),
        Act::Extend { token } => yes(before.token() == Some(token)),
        Act::Fill { token, entry } => yes(server::fill(key, Condition::Token, token, value(entry))),
        Act::Release { token } => yes(server::release(key, token)),
        Act::Remove => {
            *key = Key::Absent;
            Told::Nothing
        }
        Act::Invalidate => {
            server::invalidate(key, 0);
            Told::Nothing
        }
        Act::Begin { writer } => {
            server::begin(key, places[writer]);
            Told::Nothing
        }
        Act::Hold { writer } => yes(writes(writer)),
        Act::End { writer } => {
            server::end(key, places[writer], 0);
            yes(writes(writer))
        }
        Act::Put { writer, entry } => match server::put(key, places[writer], value(entry), true) {
            true => Told::Yes,
            false if writes(writer) => Told::Ended,
            false => Told::No,
        },
        Act::Stamp { generation } => {
            server::acquire(key, None, value(generation));
            match *key {
                Key::Value { token, .. } => Told::Value(token),
                _ => Told::Nothing,
            }
        }
    }
}

fn yes<'a>(yes: bool) -> Told<'a> {
    if yes { Told::Yes } else { Told::No }
}

fn leased(token: &str) -> Key<&str> {
    Key::Lease { token, epoch: 0 }
}

fn value(token: &str) -> Key<&str> {
    Key::Value {
        token,
        version: 0,
        stamp: Stamp::default(),
        stale: false,
    }
}

fn shown(key: Key<&str>) -> Told<'_> {
    match key {
        Key::Absent => Told::Nothing,
        Key::Lease { token, .. } => Told::Lease(token),
        Key::Value { token, .. } | Key::Marker { token } => Told::Value(token),
        Key::Tombstone { .. } => Told::Tombstone,
    }
}

/// Gives each writer a place that nobody else has at the same time.
fn places<'a>(ops: &[&Op<'a>]) -> Places<'a> {
    let mut lives: Vec<(&str, Time, Time)> = Vec::new();
    for op in ops {
        if let Act::Begin { writer }
        | Act::Hold { writer }
        | Act::End { writer }
        | Act::Put { writer, .. } = op.act
        {
            match lives.iter_mut().find(|(other, ..)| *other == writer) {
                Some((.., last)) => *last = op.answered.max(*last),
                None => lives.push((writer, op.called, op.answered)),
            }
        }
    }
    let mut free_from = [0; 8];
    let place = |(writer, first, last)| {
        // More at once than there are places share the last one.
        let place = free_from
            .iter()
            .position(|free| *free <= first)
            .unwrap_or(7);
        free_from[place] = last;
        (writer, place)
    };
    lives.into_iter().map(place).collect()
}
