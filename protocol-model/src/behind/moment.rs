//! What there is at one moment of write-behind.

/// Processes that work on the queue.
pub(super) const WORKERS: usize = 2;
/// Calls of the cached function.
pub(super) const READERS: usize = 2;
/// Calls of the function that writes; the number of each is its place in the order.
pub(super) const WRITES: u8 = 2;

/// A write in the queue; one that is repeated by an operator has a new number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Queued {
    pub(super) number: u8,
    pub(super) write: u8,
}

/// Writes in their order.
pub(super) type Line<T> = [Option<T>; WRITES as usize];

/// What stands under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Entry {
    Nothing,
    Lease(usize),
    Value(u8),
    Pending(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Worker {
    Idle,
    Took(Queued),
    Applied(Queued),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reader {
    Idle,
    Looking,
    Leased,
    /// Without a lease.
    Alone,
    Loaded(u8),
    Done,
}

/// A moment of all that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    pub(super) entry: Entry,
    pub(super) queue: Line<Queued>,
    pub(super) dead: Line<Queued>,
    pub(super) numbers: u8,
    /// How many calls have begun, and whether the last one is half taken in.
    pub(super) begun: u8,
    pub(super) half: bool,
    pub(super) accepted: u8,
    /// The source: the last write that was applied, its number, and which ones were.
    pub(super) row: u8,
    pub(super) last: u8,
    pub(super) applied: [bool; WRITES as usize],
    /// The newest write before which one was applied that comes after it.
    pub(super) backwards: bool,
    pub(super) owner: Option<usize>,
    pub(super) workers: [Worker; WORKERS],
    pub(super) readers: [(Reader, u8); READERS],
    /// What may still go wrong, once each.
    pub(super) dies: bool,
    pub(super) lapses: bool,
    pub(super) fails: bool,
    pub(super) removal: bool,
    pub(super) eviction: bool,
}

impl Reader {
    pub(super) fn is_loading(self) -> bool {
        matches!(self, Self::Leased | Self::Loaded(_))
    }
}

impl Moment {
    pub(super) fn begins(evicted: bool) -> Self {
        Self {
            entry: Entry::Nothing,
            queue: [None; WRITES as usize],
            dead: [None; WRITES as usize],
            numbers: 0,
            begun: 0,
            half: false,
            accepted: 0,
            row: 0,
            last: 0,
            applied: [false; WRITES as usize],
            backwards: false,
            owner: None,
            workers: [Worker::Idle; WORKERS],
            readers: [(Reader::Idle, 0); READERS],
            dies: true,
            lapses: true,
            fails: true,
            removal: true,
            eviction: evicted,
        }
    }

    /// To the queue, or behind the dead letters of its key.
    pub(super) fn enqueue(&mut self, write: u8) {
        self.numbers += 1;
        let queued = Queued {
            number: self.numbers,
            write,
        };
        match self.dead[0] {
            Some(_) => push(&mut self.dead, queued),
            None => push(&mut self.queue, queued),
        }
    }

    /// Whether it was there.
    pub(super) fn dequeue(&mut self, number: u8) -> bool {
        let before = self.queue;
        self.queue = [None; WRITES as usize];
        for one in before
            .into_iter()
            .flatten()
            .filter(|one| one.number != number)
        {
            push(&mut self.queue, one);
        }
        self.queue != before
    }

    pub(super) fn retry(&mut self) {
        for one in std::mem::take(&mut self.dead).into_iter().flatten() {
            self.enqueue(one.write);
        }
    }

    pub(super) fn apply(&mut self, Queued { number, write }: Queued, numbered: bool) {
        if numbered && number <= self.last {
            return;
        }
        self.backwards |= write < self.row;
        self.row = write;
        self.last = number;
        self.applied[usize::from(write) - 1] = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        let idle = |worker: &Worker| *worker == Worker::Idle;
        self.queue[0].is_none() && self.dead[0].is_none() && self.workers.iter().all(idle)
    }

    /// Those that are alike begin in one order.
    pub(super) fn first_idle(&self) -> usize {
        let idle = |worker: &Worker| *worker == Worker::Idle;
        self.workers.iter().position(idle).unwrap_or(WORKERS)
    }
}

pub(super) fn push(line: &mut Line<Queued>, queued: Queued) {
    if let Some(place) = line.iter_mut().find(|place| place.is_none()) {
        *place = Some(queued);
    }
}
