//! Whether searches and fills went on as the read machine does, from what the store had told them.

use std::collections::HashMap;

use super::ops::{Act, Op, Told};
use super::{Event, Heard, Line, Refused, Search, Server, Time, refused};
use crate::read::{AllRules, Answer, Fill, Seen, Sent, Step};

/// How many steps there are.
pub(super) fn check<'a>(
    lines: &'a [Line],
    ops: &'a [Op<'a>],
    server: Server,
) -> Result<usize, Refused> {
    let mut replay = Replay {
        heard: Answers::of(ops),
        runs: HashMap::new(),
        sent: HashMap::new(),
        server,
    };
    let mut steps = 0;
    for line in lines {
        let taken = match &line.event {
            Event::Heard { .. } => replay.search(line),
            Event::Sent { key, sent, fill } => replay.fill(line, key, *sent, *fill),
            _ => continue,
        };
        taken.map_err(|why| refused(line.number, why))?;
        steps += 1;
    }
    Ok(steps)
}

/// What is wrong with a step, if anything is.
type Taken = Result<(), &'static str>;

fn holds(holds: bool, otherwise: &'static str) -> Taken {
    if holds { Ok(()) } else { Err(otherwise) }
}

struct Replay<'a> {
    heard: Answers<'a>,
    /// How far each search of each process is, and since when.
    runs: HashMap<(u64, u64), (Search, Time)>,
    /// How many fills of each process and key have won, and how many have not.
    sent: HashMap<(u64, &'a str, bool), usize>,
    server: Server,
}

impl<'a> Replay<'a> {
    fn search(&mut self, line: &'a Line) -> Taken {
        let Event::Heard {
            run,
            key,
            heard: Heard { from, answer },
            to,
            told,
        } = &line.event
        else {
            return Ok(());
        };
        let mut search = from.clone();
        let tells = search.next(&AllRules, answer.clone());
        holds(search == *to, "the machine takes another step")?;
        holds(
            tells == *told,
            "the machine tells those who joined something else",
        )?;
        let before = self.runs.insert((line.process, *run), (search, line.at));
        let since = match before {
            None if *from == Search::new() => line.at,
            Some((before, since)) if follows(&before, from) => since,
            _ => return Err("the search was not there"),
        };
        let mut answers = self.heard.between(line.process, key, since, line.at);
        let was_told = match (from.step(), answer) {
            // It may not have looked: it asks for the lease next, and is shown what stands there.
            (Step::Look { leads: false }, Answer::Seen(Seen::Absent, _)) => true,
            (Step::Look { .. } | Step::Acquire(_), Answer::Seen(seen, _)) => {
                answers.any(|op| shows(op, seen))
            }
            (Step::Acquire(_), Answer::Granted) => answers.any(|op| op.is_grant()),
            _ => true,
        };
        holds(was_told, "the store has not said so since the step before")
    }

    fn fill(&mut self, line: &'a Line, key: &'a str, sent: Sent, fill: Fill) -> Taken {
        let machine = Fill::sent(&AllRules, sent);
        holds(machine == fill, "the machine ends the flight otherwise")?;
        let told = match sent {
            Sent::Stored { .. } | Sent::Marked => Told::Yes,
            // One that another server took, or that was not sent to it, is refused as well.
            Sent::Refused if self.server == Server::Lives => Told::No,
            Sent::Refused | Sent::Failed => return Ok(()),
        };
        let answers = self.heard.between(line.process, key, 0, line.at);
        let such = answers.filter(|op| matches!(op.act, Act::Fill { .. }) && op.told == Some(told));
        let kind = (line.process, key, told == Told::Yes);
        let before = self.sent.entry(kind).or_default();
        *before += 1;
        holds(
            such.count() >= *before,
            "the store has not said so of the fill",
        )
    }
}

/// Whether a search that had come to one step may be at another one now: what it served was of no use,
/// it lost what it held, or its batch began again.
fn follows(before: &Search, now: &Search) -> bool {
    before == now
        || match (before.step(), now.step()) {
            (Step::Serve(_), Step::Enter(Seen::Expired)) => true,
            (Step::Serve(live), Step::Enter(Seen::Dead(dead))) => live == dead,
            (Step::Serve(_) | Step::Fail(_), Step::Join) => true,
            (Step::Keep, Step::Join) => *now == Search::new(),
            (step, Step::Join) => step.leads(),
            _ => false,
        }
}

/// Whether an answer of the store shows this.
fn shows(op: &Op<'_>, seen: &Seen<String, String>) -> bool {
    match (seen, &op.told) {
        (Seen::Absent, Some(Told::Nothing)) | (Seen::Leased, Some(Told::Lease(_))) => true,
        (Seen::Live(token) | Seen::Dead(token), Some(Told::Value(told))) => token == *told,
        // By a tag, or by what the reader holds.
        (Seen::Barred | Seen::Expired, _) => true,
        // What is no entry has no name.
        (Seen::Dead(token), _) => token.is_empty(),
        _ => false,
    }
}

/// The steps of the store, by process and key, in the order of their calls.
struct Answers<'a>(HashMap<(u64, &'a str), Vec<&'a Op<'a>>>);

impl<'a> Answers<'a> {
    fn of(ops: &'a [Op<'a>]) -> Self {
        let mut answers = HashMap::<_, Vec<_>>::new();
        for op in ops {
            let key = (op.process, op.key);
            answers.entry(key).or_default().push(op);
        }
        Self(answers)
    }

    /// Those that were called and answered within this time.
    fn between(
        &self,
        process: u64,
        key: &'a str,
        since: Time,
        until: Time,
    ) -> impl Iterator<Item = &'a Op<'a>> {
        let ops = self.0.get(&(process, key)).map_or(&[][..], Vec::as_slice);
        let first = ops.partition_point(|op| op.called < since);
        let ops = ops[first..].iter().copied();
        ops.take_while(move |op| op.called <= until)
            .filter(move |op| op.answered <= until)
    }
}
