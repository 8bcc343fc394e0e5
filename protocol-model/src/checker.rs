//! Explores every state that can be reached, breadth first, so that the first counter-example found
//! is a shortest one. Knows nothing about caches.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

/// Something to explore.
pub trait Model {
    /// A moment.
    type State: Copy + Eq + Hash;
    /// What happened between two moments; told in traces.
    type Event: Copy + fmt::Display;
    /// What must never happen.
    type Flaw: Copy + fmt::Display;

    /// The first moment.
    fn initial(&self) -> Self::State;
    /// Everything that can happen next.
    fn steps(&self, state: &Self::State, steps: &mut Vec<StepOf<Self>>);
    /// What is wrong with a moment in itself.
    fn flaw(&self, state: &Self::State) -> Option<Self::Flaw>;
    /// The number of a kind of event, to say which kinds were seen.
    fn kind(event: Self::Event) -> u8;
}

/// A step of a model.
pub type StepOf<M> = Step<<M as Model>::State, <M as Model>::Event, <M as Model>::Flaw>;

/// One thing that can happen.
#[derive(Clone, Copy, Debug)]
pub struct Step<S, E, F> {
    /// What it is.
    pub event: E,
    /// What is the case afterwards.
    pub to: S,
    /// What is wrong about it.
    pub flaw: Option<F>,
}

/// How an exploration ended.
#[derive(Debug)]
pub struct Outcome<E, F> {
    /// The shortest way to something wrong; `None`: there is none.
    pub flaw: Option<(Vec<E>, F)>,
    /// Different states seen.
    pub states: usize,
    /// Steps taken.
    pub steps: usize,
    /// Which kinds of events were seen.
    pub kinds: [bool; 256],
}

impl<E, F> Default for Outcome<E, F> {
    /// Of no exploration.
    fn default() -> Self {
        Self {
            flaw: None,
            states: 0,
            steps: 0,
            kinds: [false; 256],
        }
    }
}

impl<E, F> Outcome<E, F> {
    /// This and another one together.
    pub fn and(self, other: Self) -> Self {
        Self {
            flaw: self.flaw.or(other.flaw),
            states: self.states + other.states,
            steps: self.steps + other.steps,
            kinds: std::array::from_fn(|kind| self.kinds[kind] || other.kinds[kind]),
        }
    }
}

/// Explores all of `model`, or up to the first flaw.
pub fn explore<M: Model>(model: &M) -> Outcome<M::Event, M::Flaw> {
    let mut known = Known::starting_with(model.initial());
    let (mut steps, mut at) = (Vec::new(), 0);
    let mut outcome = Outcome::default();
    while outcome.flaw.is_none() && at < known.states.len() {
        let state = known.states[at];
        if let Some(flaw) = model.flaw(&state) {
            outcome.flaw = Some((known.trace(model, at), flaw));
            break;
        }
        steps.clear();
        model.steps(&state, &mut steps);
        for step in &steps {
            outcome.steps += 1;
            outcome.kinds[usize::from(M::kind(step.event))] = true;
            if let Some(flaw) = step.flaw {
                let mut trace = known.trace(model, at);
                trace.push(step.event);
                outcome.flaw = Some((trace, flaw));
                break;
            }
            known.add(step.to, at);
        }
        at += 1;
    }
    outcome.states = known.states.len();
    outcome
}

/// The states seen so far, in the order in which they were found, each with the one it was found
/// from: at once the queue, the set and the way back.
struct Known<S> {
    states: Vec<S>,
    parents: Vec<u32>,
    /// An open hash table of positions in `states`.
    slots: Vec<u32>,
}

const FREE: u32 = u32::MAX;

impl<S: Copy + Eq + Hash> Known<S> {
    fn starting_with(state: S) -> Self {
        let mut known = Self {
            states: Vec::new(),
            parents: Vec::new(),
            slots: vec![FREE; 1 << 16],
        };
        known.add(state, 0);
        known
    }

    fn add(&mut self, state: S, parent: usize) {
        let slot = self.slot(&state);
        if self.slots[slot] != FREE {
            return;
        }
        self.slots[slot] = position(self.states.len());
        self.states.push(state);
        self.parents.push(position(parent));
        if self.states.len() * 2 > self.slots.len() {
            self.grow();
        }
    }

    /// Where `state` is, or where it belongs.
    fn slot(&self, state: &S) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash(state) & mask;
        while self.slots[slot] != FREE && self.states[self.slots[slot] as usize] != *state {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        self.slots = vec![FREE; self.slots.len() * 2];
        for at in 0..self.states.len() {
            let slot = self.slot(&self.states[at]);
            self.slots[slot] = position(at);
        }
    }

    /// What happened from the beginning up to state `at`. Events are not kept: they are found again.
    fn trace<M: Model<State = S>>(&self, model: &M, mut at: usize) -> Vec<M::Event> {
        let (mut trace, mut steps) = (Vec::new(), Vec::new());
        while at != 0 {
            let parent = self.parents[at] as usize;
            steps.clear();
            model.steps(&self.states[parent], &mut steps);
            let step = steps.iter().find(|step| step.to == self.states[at]);
            trace.extend(step.map(|step| step.event));
            at = parent;
        }
        trace.reverse();
        trace
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("fewer than four billion states")
}

fn hash<S: Hash>(state: &S) -> usize {
    BuildHasherDefault::<Quick>::default().hash_one(state) as usize
}

/// A hasher that is quick on the many small fields of a state.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        let mixed = self.0 ^ (self.0 >> 32);
        mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u8(*byte));
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number below 100 that is doubled or increased; `bad` must not be reached.
    struct Numbers {
        bad: u8,
    }

    impl Model for Numbers {
        type State = u8;
        type Event = char;
        type Flaw = u8;

        fn initial(&self) -> u8 {
            1
        }

        fn steps(&self, state: &u8, steps: &mut Vec<Step<u8, char, u8>>) {
            for (event, to) in [('+', state + 1), ('*', state * 2)] {
                let flaw = None;
                if to < 100 {
                    steps.push(Step { event, to, flaw });
                }
            }
        }

        fn flaw(&self, state: &u8) -> Option<u8> {
            (*state == self.bad).then_some(self.bad)
        }

        fn kind(event: char) -> u8 {
            u8::from(event == '*')
        }
    }

    #[test]
    fn a_flaw_is_told_with_a_shortest_way_to_it() {
        let (trace, flaw) = explore(&Numbers { bad: 41 })
            .flaw
            .expect("41 can be reached");
        assert_eq!(flaw, 41);
        // 1, 2, 4, 5, 10, 20, 40, 41
        assert_eq!(trace.len(), 7);
        let end = trace.iter().fold(1, |at, event| match event {
            '*' => at * 2,
            _ => at + 1,
        });
        assert_eq!(end, 41);
    }

    #[test]
    fn without_a_flaw_every_state_is_seen_once() {
        let outcome = explore(&Numbers { bad: 0 });
        assert!(outcome.flaw.is_none());
        assert_eq!(outcome.states, 99);
        assert_eq!(outcome.steps, 98 + 49);
        assert_eq!(outcome.kinds.iter().filter(|seen| **seen).count(), 2);
    }
}
