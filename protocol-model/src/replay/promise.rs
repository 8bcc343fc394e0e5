//! Whether a read returned an older version than it may.

use std::collections::HashMap;

use super::{Event, Line, Refused, Time, refused};

/// How many reads and writes there are.
pub(super) fn check(lines: &[Line]) -> Result<(usize, usize), Refused> {
    let (mut reads, mut floors, mut writes) = (Vec::new(), Floors::default(), 0);
    for line in lines {
        let (process, at) = (line.process, line.at);
        match line.event {
            Event::Read {
                subject,
                began,
                version,
            } => reads.push((line, subject, began, version)),
            Event::Write {
                subject,
                version,
                confirmed,
            } => {
                writes += 1;
                let binds = (!confirmed).then_some(process);
                floors.raise(subject, binds, at, version);
            }
            Event::Replayed { subject, version } => floors.raise(subject, None, at, version),
            _ => {}
        }
    }
    for (line, subject, began, version) in &reads {
        let floor = floors.at(*subject, line.process, *began);
        if let Some(version) = version.filter(|version| *version < floor) {
            let why =
                format!("a read of {subject} returned {version} after the invalidation of {floor}");
            return Err(refused(line.number, why));
        }
    }
    Ok((reads.len(), writes))
}

/// The newest versions whose invalidation had returned, in the order of time, of all processes
/// (`None`) and of each.
#[derive(Default)]
struct Floors(HashMap<(u64, Option<u64>), Vec<Floor>>);

type Floor = (Time, u64);

impl Floors {
    fn raise(&mut self, subject: u64, process: Option<u64>, at: Time, version: u64) {
        let floors = self.0.entry((subject, process)).or_default();
        let before = floors.last().map_or(0, |(_, floor)| *floor);
        floors.push((at, before.max(version)));
    }

    fn at(&self, subject: u64, process: u64, time: Time) -> u64 {
        let floor = |process| {
            let floors = self.0.get(&(subject, process))?;
            let before = floors.partition_point(|(at, _)| *at < time);
            Some(floors[before.checked_sub(1)?].1)
        };
        floor(None).max(floor(Some(process))).unwrap_or(0)
    }
}
