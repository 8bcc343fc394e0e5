//! What a random program is, and how it is written down: as the code that builds it.

use std::collections::BTreeSet;
use std::fmt;

use crate::features::Feature;
use crate::readers::{Reader, reader};
use crate::truth::Mishap;
use crate::writers::{Writer, writer};

/// Tasks that run at the same time.
#[derive(Clone)]
pub(crate) struct Program {
    /// Of pauses and faults, where the steps leave them open.
    pub(crate) seed: u64,
    pub(crate) weather: Weather,
    pub(crate) tasks: Vec<Vec<Step>>,
}

/// How it goes with what caches ask of their stores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weather {
    Fair,
    /// Steps come late and out of their order.
    Late,
    /// Steps get lost as well.
    Foul,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Member {
    /// A cache, another one in the same process, one in another process, and one of another namespace.
    A,
    Twin,
    Other,
    B,
}

#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) member: Member,
    /// In ms, before it begins.
    pub(crate) pause: u8,
    /// Dropped after so many polls.
    pub(crate) polls: Option<u8>,
    pub(crate) action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wish {
    Cached,
    Refreshed,
    Uncached,
}

#[derive(Clone)]
pub(crate) enum Action {
    Read(&'static Reader, u8, Wish),
    Write(&'static Writer, u8),
    /// Writes the row and invalidates the key of this reader.
    Forget(&'static Reader, u8),
    /// Writes and then reads through one transaction, and whether it commits.
    Transaction(
        Vec<(&'static Writer, u8)>,
        Vec<(Member, &'static Reader, u8)>,
        bool,
    ),
    /// Whether the function runs for every call.
    Shadow(&'static str, bool),
    Mishap(Mishap, u8),
    Outage(bool),
    Flush,
    /// In ms.
    Time(u16),
}

impl Program {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        Self {
            seed,
            weather,
            tasks: Vec::new(),
        }
    }

    pub(crate) fn task(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.tasks.push(steps.into_iter().collect());
        self
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.tasks.iter().flatten()
    }

    pub(crate) fn members(&self) -> BTreeSet<Member> {
        let reads = |step: &Step| match &step.action {
            Action::Transaction(_, reads, _) => reads.iter().map(|(member, ..)| *member).collect(),
            _ => Vec::new(),
        };
        self.steps()
            .flat_map(|step| reads(step).into_iter().chain([step.member]))
            .collect()
    }

    pub(crate) fn features(&self) -> BTreeSet<Feature> {
        let mut features: BTreeSet<_> = self.steps().flat_map(Step::features).collect();
        let members = self.members();
        let both = |member| members.contains(&Member::A) && members.contains(&member);
        features.extend(both(Member::Twin).then_some(Feature::SeveralCaches));
        features.extend(both(Member::Other).then_some(Feature::TwoProcesses));
        features.extend(both(Member::B).then_some(Feature::TwoNamespaces));
        features.extend((self.weather != Weather::Fair).then_some(Feature::Faults));
        features
    }
}

impl Step {
    fn features(&self) -> Vec<Feature> {
        let mut features = match &self.action {
            Action::Read(reader, _, wish) => {
                let mut features = reader.features.to_vec();
                match wish {
                    Wish::Cached => {}
                    Wish::Refreshed => features.push(Feature::Refreshed),
                    Wish::Uncached => features.push(Feature::Uncached),
                }
                features
            }
            Action::Write(writer, _) => writer.features.to_vec(),
            Action::Transaction(writes, reads, commits) => {
                let writes = writes.iter().flat_map(|(writer, _)| writer.features);
                let reads = reads.iter().flat_map(|(_, reader, _)| reader.features);
                let end = if *commits {
                    Feature::Committed
                } else {
                    Feature::RolledBack
                };
                writes.chain(reads).copied().chain([end]).collect()
            }
            Action::Shadow(..) => vec![Feature::Shadow],
            Action::Mishap(Mishap::Fails, _) => vec![Feature::Errors],
            Action::Mishap(Mishap::Panics, _) => vec![Feature::Panics],
            Action::Outage(_) => vec![Feature::Faults],
            Action::Time(_) => vec![Feature::Time],
            Action::Forget(..) | Action::Flush => Vec::new(),
        };
        features.extend(self.polls.map(|_| Feature::Drops));
        features
    }

    pub(crate) fn pause(mut self, millis: u8) -> Self {
        self.pause = millis;
        self
    }

    pub(crate) fn dropped(mut self, polls: u8) -> Self {
        self.polls = Some(polls);
        self
    }

    pub(crate) fn on(mut self, member: Member) -> Self {
        self.member = member;
        self
    }
}

/// A step of the first cache, at once.
pub(crate) fn step(action: Action) -> Step {
    Step {
        member: Member::A,
        pause: 0,
        polls: None,
        action,
    }
}

pub(crate) fn read(name: &str, id: u8) -> Step {
    step(Action::Read(reader(name), id, Wish::Cached))
}

pub(crate) fn refresh(name: &str, id: u8) -> Step {
    step(Action::Read(reader(name), id, Wish::Refreshed))
}

pub(crate) fn uncached(name: &str, id: u8) -> Step {
    step(Action::Read(reader(name), id, Wish::Uncached))
}

pub(crate) fn write(name: &str, id: u8) -> Step {
    step(Action::Write(writer(name), id))
}

pub(crate) fn forget(name: &str, id: u8) -> Step {
    step(Action::Forget(reader(name), id))
}

pub(crate) fn transaction(
    writes: &[(&str, u8)],
    reads: &[(Member, &str, u8)],
    commits: bool,
) -> Step {
    let writes = writes.iter().map(|(name, id)| (writer(name), *id));
    let reads = reads
        .iter()
        .map(|(member, name, id)| (*member, reader(name), *id));
    step(Action::Transaction(
        writes.collect(),
        reads.collect(),
        commits,
    ))
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Program::new({}, Weather::{:?})",
            self.seed, self.weather
        )?;
        for task in &self.tasks {
            write!(f, "\n    .task([")?;
            task.iter()
                .try_for_each(|step| write!(f, "\n        {step},"))?;
            write!(f, "\n    ])")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.action)?;
        if self.member != Member::A {
            write!(f, ".on(Member::{:?})", self.member)?;
        }
        if self.pause > 0 {
            write!(f, ".pause({})", self.pause)?;
        }
        self.polls
            .map_or(Ok(()), |polls| write!(f, ".dropped({polls})"))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(reader, id, Wish::Cached) => write!(f, "read({:?}, {id})", reader.name),
            Self::Read(reader, id, Wish::Refreshed) => {
                write!(f, "refresh({:?}, {id})", reader.name)
            }
            Self::Read(reader, id, Wish::Uncached) => {
                write!(f, "uncached({:?}, {id})", reader.name)
            }
            Self::Write(writer, id) => write!(f, "write({:?}, {id})", writer.name),
            Self::Forget(reader, id) => write!(f, "forget({:?}, {id})", reader.name),
            Self::Transaction(writes, reads, commits) => {
                write!(f, "transaction(&[")?;
                writes
                    .iter()
                    .try_for_each(|(writer, id)| write!(f, "({:?}, {id}), ", writer.name))?;
                write!(f, "], &[")?;
                reads.iter().try_for_each(|(member, reader, id)| {
                    write!(f, "(Member::{member:?}, {:?}, {id}), ", reader.name)
                })?;
                write!(f, "], {commits})")
            }
            Self::Shadow(name, on) => write!(f, "step(Action::Shadow({name:?}, {on}))"),
            Self::Mishap(mishap, id) => write!(f, "step(Action::Mishap(Mishap::{mishap:?}, {id}))"),
            Self::Outage(on) => write!(f, "step(Action::Outage({on}))"),
            Self::Flush => write!(f, "step(Action::Flush)"),
            Self::Time(millis) => write!(f, "step(Action::Time({millis}))"),
        }
    }
}
