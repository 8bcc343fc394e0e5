//! A log that the stress test has recorded is one that the model allows, and is none any more once a
//! line of it says something else, or stands elsewhere.
//!
//! `stress.log` is the beginning of what `STRESS_LOG=… cargo test --test stress` leaves, of two keys, with
//! times from its first line on.

use std::collections::HashMap;

use protocol_model::{Refused, Replayed, Server, replay};
use serde_json::{Value, json};

#[test]
fn what_a_real_run_went_through_is_what_the_model_allows() {
    let replayed = Log::recorded().replay().unwrap();
    assert!(replayed.is_of(replayed.processes), "{replayed}");
    assert!(
        !replay("", Server::Lives).unwrap().is_of(3),
        "of an empty one nothing was compared"
    );
}

#[test]
fn another_step_of_a_read_is_refused() {
    let log = Log::recorded();
    let others = log.all("Heard").map(|at| {
        log.with(at, |line| {
            let step = &mut line.event["Heard"]["to"]["step"];
            *step = match step.as_str() {
                Some("Queue") => json!("Wait"),
                _ => json!("Queue"),
            };
        })
    });
    refused(others.step_by(3));
}

#[test]
fn a_step_of_a_read_that_stands_before_the_one_before_it_is_refused() {
    let log = Log::recorded();
    let mut last = HashMap::new();
    let moved = log.all("Heard").filter_map(|at| {
        let run = (log.0[at].process, log.0[at].event["Heard"]["run"].as_u64());
        let before = last.insert(run, at)?;
        Some(log.with(at, |line| line.at = log.0[before].at - 1))
    });
    refused(moved.step_by(3));
}

#[test]
fn a_step_of_a_read_that_the_store_has_not_answered_so_is_refused() {
    let log = Log::recorded();
    let granted = |at: &usize| log.0[*at].event["Heard"]["heard"]["answer"] == "Granted";
    let refusals = log.all("Heard").filter(granted).map(|at| {
        log.with(at, |line| {
            let heard = &mut line.event["Heard"];
            heard["heard"]["answer"] = json!("Refused");
            heard["to"]["step"] = json!({"Look": {"leads": true}});
        })
    });
    refused(refusals);
}

#[test]
fn answers_of_the_store_that_have_changed_places_are_refused() {
    let log = Log::recorded();
    // The last look at a key before a fill, and the first one that shows what was filled.
    let swapped = log.fills().filter_map(|fill| {
        let (key, entry) = (fill.given[0].as_str()?, &fill.given[2]);
        let looks = || log.calls("get").filter(|look| look.given[0] == key);
        let before = looks()
            .filter(|look| log.0[look.answer].at < fill.called)
            .last()?;
        let behind = looks().find(|look| log.answer(look) == entry)?;
        let (one, other) = (log.answer(&before).clone(), log.answer(&behind).clone());
        let swapped = log.with(before.answer, |line| {
            line.event["Answer"]["answer"]["Ok"] = other;
        });
        Some(swapped.with(behind.answer, |line| {
            line.event["Answer"]["answer"]["Ok"] = one;
        }))
    });
    refused(swapped);
}

#[test]
fn a_refused_fill_that_has_won_is_refused_and_so_is_the_other_way_round() {
    let log = Log::recorded();
    let turned = log.fills().map(|fill| {
        log.with(fill.answer, |line| {
            let won = &mut line.event["Answer"]["answer"]["Ok"];
            *won = json!(!won.as_bool().unwrap());
        })
    });
    refused(turned);
}

#[test]
fn an_answer_before_its_call_is_refused() {
    let log = Log::recorded();
    let early = log
        .calls("get")
        .map(|look| log.with(look.answer, |line| line.at = look.called - 1));
    refused(early);
}

#[test]
fn an_invalidation_that_has_returned_before_an_older_read_began_is_refused() {
    let log = Log::recorded();
    let moved = log.all("Write").flat_map(|at| {
        let write = &log.0[at].event["Write"];
        let older = |read: &Value| {
            read["subject"] == write["subject"]
                && read["version"].as_u64() < write["version"].as_u64()
        };
        let reads = log.all("Read").map(|at| &log.0[at].event["Read"]);
        let began = reads
            .filter(|read| older(read))
            .map(|read| read["began"].as_u64().unwrap());
        let log = &log;
        began
            .collect::<Vec<_>>()
            .into_iter()
            .map(move |began| log.with(at, |line| line.at = began - 1))
    });
    refused(moved.step_by(3));
}

#[test]
fn what_is_no_line_is_refused() {
    for text in [
        "",
        "1 0",
        "1 0 {}",
        "x 0 {\"Replayed\":{\"subject\":1,\"version\":1}}",
    ] {
        let refused = replay(&format!("{LOG}{text}\n"), Server::Lives).unwrap_err();
        assert_eq!(refused.line, LOG.lines().count() + 1, "{text}");
    }
}

const LOG: &str = include_str!("stress.log");

/// Asserts that there are some of these logs, and that the model allows none.
fn refused(logs: impl Iterator<Item = Log>) {
    let mut count = 0;
    for log in logs {
        log.replay().expect_err("it was tampered with");
        count += 1;
    }
    assert!(count > 0, "the log has nothing like it");
}

#[derive(Clone)]
struct Log(Vec<Line>);

#[derive(Clone)]
struct Line {
    at: u64,
    process: u64,
    event: Value,
}

/// A step of the store that was answered.
struct Call<'a> {
    given: &'a Value,
    called: u64,
    /// The place of its answer.
    answer: usize,
}

impl Log {
    fn recorded() -> Self {
        let line = |text: &str| {
            let mut words = text.splitn(3, ' ');
            let mut number = || words.next().unwrap().parse().unwrap();
            let (at, process) = (number(), number());
            let event = serde_json::from_str(words.next().unwrap()).unwrap();
            Line { at, process, event }
        };
        Self(LOG.lines().map(line).collect())
    }

    fn replay(&self) -> Result<Replayed, Refused> {
        let line = |Line { at, process, event }: &_| format!("{at} {process} {event}\n");
        let text: String = self.0.iter().map(line).collect();
        replay(&text, Server::Lives)
    }

    /// The places of the events of a kind.
    fn all(&self, kind: &'static str) -> impl Iterator<Item = usize> {
        let is = move |at: &usize| self.0[*at].event.get(kind).is_some();
        (0..self.0.len()).filter(is)
    }

    /// The steps of a kind that were answered.
    fn calls(&self, step: &'static str) -> impl Iterator<Item = Call<'_>> {
        let calls = self.all("Call").map(|at| &self.0[at]);
        calls.filter_map(move |line| {
            let call = &line.event["Call"];
            let is_answer = |at: &usize| {
                let answer = &self.0[*at];
                answer.process == line.process && answer.event["Answer"]["call"] == call["call"]
            };
            Some(Call {
                given: &call["given"],
                called: line.at,
                answer: self
                    .all("Answer")
                    .find(is_answer)
                    .filter(|_| call["step"] == step)?,
            })
        })
    }

    fn fills(&self) -> impl Iterator<Item = Call<'_>> {
        self.calls("fill")
    }

    fn answer(&self, call: &Call<'_>) -> &Value {
        &self.0[call.answer].event["Answer"]["answer"]["Ok"]
    }

    fn with(&self, at: usize, change: impl FnOnce(&mut Line)) -> Self {
        let mut log = self.clone();
        change(&mut log.0[at]);
        log
    }
}
