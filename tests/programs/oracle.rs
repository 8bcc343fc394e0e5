//! What a read may return.
//!
//! An invalidation that has returned `Done` binds every read that begins afterwards: of what its target
//! reaches, nothing is older than what was committed when it began. One that was deferred binds its own
//! process alone, until it was replayed. What a writer was dropped or panicked over is invalidated behind
//! it, nobody knows when; it binds once everything has come to rest.
//!
//! A value is judged by itself, since it names the entry and the tags it was loaded under, for each part
//! of it. The tags of an inner call drop the outer entry too: for what the inner call gave, not for what
//! the outer function had read itself before that, which is a matter of its own tags. The key of an inner
//! call does not, and no tag of the outer function drops what the inner call was served.

use std::collections::BTreeSet;

use crate::program::Member;
use crate::truth::{Place, Truth, Versions};
use crate::value::{Failed, Part, Value, is_absent};

/// What an invalidation names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    Key(String),
    Tag(String),
    /// All keys that begin so.
    Prefix(&'static str),
}

impl Target {
    fn reaches(&self, key: Option<&str>, tags: &BTreeSet<String>) -> bool {
        match self {
            Self::Key(own) => key == Some(own),
            Self::Prefix(prefix) => key.is_some_and(|key| key.starts_with(prefix)),
            Self::Tag(tag) => tags.contains(tag),
        }
    }
}

/// An invalidation that has returned.
#[derive(Clone, Debug)]
pub(crate) struct Returned {
    pub(crate) targets: Vec<Target>,
    pub(crate) versions: Versions,
    pub(crate) binds: Binds,
}

/// Whom it binds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Binds {
    All,
    /// One process, until this cache of it has replayed it.
    Process(usize, Member),
}

/// What an answer was asked for.
pub(crate) struct Asked {
    pub(crate) key: String,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) row: u8,
    /// Whether the function asks its source for the version first.
    pub(crate) versioned: bool,
}

/// A read that has begun.
pub(crate) struct Read<'a> {
    place: &'a Place,
    process: usize,
    tick: u64,
    /// The invalidations that had returned by then.
    returned: Vec<Returned>,
    committed: Versions,
}

impl<'a> Read<'a> {
    pub(crate) fn begin(place: &'a Place, process: usize) -> Self {
        let truth: &Truth = &place.truth;
        let binds = |of: &&Returned| match of.binds {
            Binds::All => true,
            Binds::Process(of, _) => of == process,
        };
        Self {
            place,
            process,
            tick: truth.tick(),
            returned: truth
                .returned
                .lock()
                .unwrap()
                .iter()
                .filter(binds)
                .cloned()
                .collect(),
            committed: truth.versions(),
        }
    }

    pub(crate) fn value(&self, asked: &Asked, value: &Value) -> Result<(), String> {
        let found = |what: &str| Err(format!("{what}: {value:?}, asked for {}", asked.key));
        if value.world != self.place.truth.world {
            return found("a foreign value");
        }
        if value.key != asked.key {
            return found("another key's value");
        }
        for (at, part) in value.parts.iter().enumerate() {
            let key = (at == 0).then_some(&*value.key);
            if part.open != 0 {
                match &self.place.open {
                    Some(open) if open.number == part.open => continue,
                    _ => return found("a dirty value"),
                }
            }
            if part.version > self.place.truth.versions()[usize::from(part.row)] {
                return found("a version that is not committed");
            }
            if let Some(by) = self.outdated(key, part) {
                return found(&format!(
                    "a stale value after {by:?}, process {}",
                    self.process
                ));
            }
        }
        let newest = self.committed[usize::from(value.row())];
        if asked.versioned && value.parts[0].open == 0 && value.version() < newest {
            return found("a value of an older version of the source");
        }
        Ok(())
    }

    fn outdated(&self, key: Option<&str>, part: &Part) -> Option<&Returned> {
        let older = |by: &Returned| part.version < by.versions[usize::from(part.row)];
        let reaches = |by: &Returned| {
            by.targets
                .iter()
                .any(|target| target.reaches(key, &part.tags))
        };
        self.returned.iter().find(|by| older(by) && reaches(by))
    }

    /// The row was not there.
    pub(crate) fn absence(&self, asked: &Asked) -> Result<(), String> {
        if self.place.open.is_some() {
            return Ok(());
        }
        let row = usize::from(asked.row);
        let reaches = |by: &&Returned| {
            let mut targets = by.targets.iter();
            targets.any(|target| target.reaches(Some(&asked.key), &asked.tags))
        };
        let floors = self
            .returned
            .iter()
            .filter(reaches)
            .map(|by| by.versions[row]);
        let floor = floors.max().unwrap_or(1);
        let newest = self.place.truth.versions()[row];
        match (floor..=newest).any(is_absent) {
            true => Ok(()),
            false => Err(format!(
                "an absence of {} that is over: {floor}..={newest}",
                asked.key
            )),
        }
    }

    /// An error is that of a load which has failed since.
    pub(crate) fn failure(&self, Failed(at): Failed) -> Result<(), String> {
        match at > self.tick {
            true => Ok(()),
            false => Err("an error from before the call".to_owned()),
        }
    }
}
