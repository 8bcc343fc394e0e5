//! Makes programs of a seed.

use fastrand::Rng;

use crate::features::Feature;
use crate::oracle::Target;
use crate::program::{Action, Member, Program, Step, Weather, Wish, step};
use crate::readers::{READERS, Reader};
use crate::truth::{Mishap, ROWS};
use crate::writers::{WRITERS, Writer};

/// What one program is made of: few things, so that they meet.
struct Words {
    random: Rng,
    readers: Vec<&'static Reader>,
    writers: Vec<&'static Writer>,
    ids: Vec<u8>,
    members: &'static [Member],
}

pub(crate) fn program(seed: u64) -> Program {
    let mut random = Rng::with_seed(seed);
    let count = random.usize(1..5);
    let mut readers = random.choose_multiple(READERS, count);
    if random.bool() {
        let first = readers[0];
        readers =
            random.choose_multiple(READERS.iter().filter(|other| are_kin(first, other)), count);
        readers.push(first);
    }
    about(readers, random, seed)
}

/// Whether they have a key or a tag in common, so that what is wrong with one may show in the other.
fn are_kin(one: &Reader, other: &Reader) -> bool {
    let tags = (other.tags)(0);
    (one.key)(0) == (other.key)(0) || (one.tags)(0).iter().any(|tag| tags.contains(tag))
}

/// A program that reads in these ways.
pub(crate) fn about(readers: Vec<&'static Reader>, random: Rng, seed: u64) -> Program {
    let mut words = Words::choose(random, readers);
    let weather = [Weather::Fair, Weather::Fair, Weather::Late, Weather::Foul];
    let weather = words.pick(&weather);
    let mut program = Program::new(seed, weather);
    let crowd = words.random.u8(..3) == 0;
    let first = words.step();
    for _ in 0..words.random.usize(1..6) {
        let count = words.random.usize(1..5);
        let mut steps: Vec<_> = (0..count).map(|_| words.step()).collect();
        if crowd {
            steps[0] = words.like(&first);
        }
        program = program.task(steps);
    }
    program
}

impl Words {
    fn choose(mut random: Rng, readers: Vec<&'static Reader>) -> Self {
        let near = WRITERS
            .iter()
            .filter(|writer| readers.iter().any(|reader| reaches(writer, reader)));
        let count = random.usize(1..4);
        let mut writers = random.choose_multiple(near, count);
        writers.extend(random.choice(WRITERS));
        let count = random.usize(1..3);
        let ids = random.choose_multiple(0..ROWS as u8, count);
        let members: [&'static [_]; 6] = [
            &[Member::A],
            &[Member::A],
            &[Member::A, Member::Twin],
            &[Member::A, Member::Other],
            &[Member::A, Member::B],
            &[Member::A, Member::Twin, Member::Other, Member::B],
        ];
        let members = members[random.usize(..members.len())];
        Self {
            random,
            readers,
            writers,
            ids,
            members,
        }
    }

    fn step(&mut self) -> Step {
        let id = self.id();
        let member = self.pick(self.members);
        let action = match self.random.u8(..40) {
            0..18 => Action::Read(self.reader(), id, self.wish()),
            18..26 => Action::Write(self.writer(), id),
            26..28 => self.forget(id),
            28..31 => self.transaction(member),
            31..33 => self.shadow(),
            33..35 => Action::Mishap(self.pick(&[Mishap::Fails, Mishap::Panics]), id),
            35 => Action::Outage(true),
            36 => Action::Outage(false),
            37 => Action::Flush,
            _ => Action::Time(self.random.u16(1..300)),
        };
        let droppable = matches!(
            action,
            Action::Read(..) | Action::Write(..) | Action::Forget(..) | Action::Transaction(..)
        );
        let polls = (droppable && self.random.u8(..12) == 0).then(|| self.random.u8(1..12));
        let pause = [0, 0, 1, 2, 3, 5, 10, 20];
        Step {
            member,
            pause: self.pick(&pause),
            polls,
            ..step(action)
        }
    }

    /// The same by somebody else.
    fn like(&mut self, other: &Step) -> Step {
        let mut step = other.clone();
        if let Action::Read(_, id, _) = &mut step.action {
            *id = self.id();
        }
        step.pause(0)
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.usize(..of.len())]
    }

    fn id(&mut self) -> u8 {
        let at = self.random.usize(..self.ids.len());
        self.ids[at]
    }

    fn reader(&mut self) -> &'static Reader {
        let at = self.random.usize(..self.readers.len());
        self.readers[at]
    }

    fn writer(&mut self) -> &'static Writer {
        let at = self.random.usize(..self.writers.len());
        self.writers[at]
    }

    fn wish(&mut self) -> Wish {
        self.pick(&[
            Wish::Cached,
            Wish::Cached,
            Wish::Cached,
            Wish::Cached,
            Wish::Cached,
            Wish::Refreshed,
            Wish::Uncached,
        ])
    }

    /// A default key is not known.
    fn forget(&mut self, id: u8) -> Action {
        let reader = self.reader();
        match reader.has(Feature::DefaultKeys) {
            true => Action::Read(reader, id, Wish::Cached),
            false => Action::Forget(reader, id),
        }
    }

    fn shadow(&mut self) -> Action {
        let functions = [
            "plain",
            "tagged",
            "found",
            "found_many",
            "versioned",
            "stale",
            "maybe",
            "cart",
        ];
        let is_read = |name: &&str| self.readers.iter().any(|reader| reader.name == *name);
        let read: Vec<_> = functions.into_iter().filter(is_read).collect();
        // One that is read, if there is: else nothing would come of it.
        let function = match read.is_empty() {
            true => self.pick(&functions),
            false => self.pick(&read),
        };
        Action::Shadow(function, self.random.bool())
    }

    fn transaction(&mut self, member: Member) -> Action {
        let collects = |writer: &&&'static Writer| writer.collects();
        let mut near: Vec<_> = self.writers.iter().filter(collects).copied().collect();
        if near.is_empty() {
            near.extend(WRITERS.iter().filter(|writer| writer.collects()));
        }
        let count = self.random.usize(1..4);
        let writes = (0..count).map(|_| (self.pick(&near), self.id())).collect();
        // A source has its own transactions.
        let same = |other: &Member| (*other == Member::B) == (member == Member::B);
        let members: Vec<_> = self.members.iter().copied().filter(same).collect();
        let count = self.random.usize(..3);
        let reads = (0..count).map(|_| (self.pick(&members), self.reader(), self.id()));
        // What an update makes stands at once: its truth is the cache.
        let reads = reads
            .filter(|(_, reader, _)| !reader.has(Feature::Update))
            .collect();
        Action::Transaction(writes, reads, self.random.bool())
    }
}

/// Whether what one invalidates can be what the other reads.
fn reaches(writer: &Writer, reader: &Reader) -> bool {
    let (key, tags) = ((reader.key)(0), (reader.tags)(0));
    let targets = (writer.targets)(0);
    let stores = targets.is_empty() && writer.has(Feature::Put);
    stores || targets.iter().any(|target| names(target, &key, &tags))
}

fn names(target: &Target, key: &str, tags: &[String]) -> bool {
    match target {
        Target::Key(own) => own == key,
        Target::Tag(tag) => tags.contains(tag),
        Target::Prefix(prefix) => key.starts_with(prefix),
    }
}
