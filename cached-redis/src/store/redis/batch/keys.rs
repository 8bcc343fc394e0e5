//! What a batch asks the server: for many keys, or by one command of any kind.
//!
//! A server of a cluster takes no command on keys of several slots, so there a read is several commands: an MGET for
//! neighbours of one slot, such as an entry and its tags, and a GET for each other key. Each of them may fail for
//! itself, since its slot may have moved.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::store::redis::packed::{Packed, header};
use crate::store::slot::slot;

/// How many keys a batch has at most, so that a large answer does not hold up all readers; a read of more
/// has one of its own.
pub(super) const MOST: usize = 64;

/// How much room is kept for the next ones.
const ROOM: usize = 4 * 1024;

/// See the module.
#[derive(Default)]
pub(in crate::store::redis) struct Keys {
    /// The keys as the arguments of a command.
    arguments: Vec<u8>,
    places: Vec<Place>,
    readers: usize,
    form: Form,
    by_slot: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Together,
    /// Nobody joins them.
    Alone,
    /// No keys, but a whole command.
    Command,
}

/// Those of the answers to one reader.
pub(super) enum Places {
    One(usize),
    /// One behind the other, as those of the first reader are.
    Row(Range<usize>),
    Several(Box<[usize]>),
}

struct Place {
    hash: u64,
    /// Where the key stands in the arguments.
    start: usize,
    end: usize,
    /// That of the key, where it matters.
    slot: u16,
}

impl Keys {
    /// The places of the answers to `keys`, for one more reader.
    pub(super) fn places(&mut self, keys: &[&str]) -> Places {
        self.readers += 1;
        match keys {
            [key] => Places::One(self.place(key)),
            // Nobody joins so many, and to compare them all would hold up the others.
            keys if keys.len() > MOST => {
                let first = self.places.len();
                for key in keys {
                    self.add(key, 0);
                }
                Places::Row(first..self.places.len())
            }
            keys => self.several(keys),
        }
    }

    /// That of the answer to a command.
    pub(super) fn of_command(&mut self, command: &Packed) -> Places {
        self.form = Form::Command;
        self.arguments.extend_from_slice(command.bytes());
        Places::One(0)
    }

    fn several(&mut self, keys: &[&str]) -> Places {
        let mut row = self.places.len()..self.places.len();
        for (at, key) in keys.iter().enumerate() {
            let place = self.place(key);
            if place != row.end {
                let rest = keys[at + 1..].iter().map(|key| self.place(key));
                return Places::Several(row.chain([place]).chain(rest).collect());
            }
            row.end += 1;
        }
        Places::Row(row)
    }

    fn place(&mut self, key: &str) -> usize {
        let hash = xxh3_64(key.as_bytes());
        let known = self.places.iter().position(|place| {
            // Hashes alone could be forged.
            place.hash == hash && self.arguments[place.start..place.end] == *key.as_bytes()
        });
        known.unwrap_or_else(|| self.add(key, hash))
    }

    fn add(&mut self, key: &str, hash: u64) -> usize {
        header(&mut self.arguments, b'$', key.len());
        let start = self.arguments.len();
        self.arguments.extend_from_slice(key.as_bytes());
        let end = self.arguments.len();
        self.arguments.extend_from_slice(b"\r\n");
        let slot = if self.by_slot { slot(key) } else { 0 };
        self.places.push(Place {
            hash,
            start,
            end,
            slot,
        });
        self.places.len() - 1
    }

    pub(super) fn stay_alone(&mut self) {
        self.form = Form::Alone;
    }

    /// Whether a GET reads all of them.
    #[cfg(test)]
    pub(in crate::store::redis) fn are_one(&self) -> bool {
        self.places.len() == 1 && self.is_get(&self.places)
    }

    /// Whether they are joined.
    pub(super) fn are_together(&self) -> bool {
        self.form == Form::Together
    }

    pub(in crate::store::redis) fn are_a_command(&self) -> bool {
        self.form == Form::Command
    }

    /// Appends the commands.
    pub(in crate::store::redis) fn write(&self, bytes: &mut Vec<u8>) {
        if self.are_a_command() {
            return bytes.extend_from_slice(&self.arguments);
        }
        let mut from = 0;
        for command in self.commands(0) {
            let to = command.last().map_or(from, |place| place.end + 2);
            header(bytes, b'*', 1 + command.len());
            let name: &[u8] = match self.is_get(command) {
                true => b"$3\r\nGET\r\n",
                false => b"$4\r\nMGET\r\n",
            };
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(&self.arguments[from..to]);
            from = to;
        }
    }

    /// How many keys that command reads which begins with the one at a place, and whether it is an MGET.
    pub(in crate::store::redis) fn command_at(&self, place: usize) -> (usize, bool) {
        if self.are_a_command() {
            return (1, false);
        }
        let command = self.commands(place).next().unwrap_or_default();
        (command.len(), !self.is_get(command))
    }

    fn commands(&self, from: usize) -> impl Iterator<Item = &[Place]> {
        self.places[from..].chunk_by(|one, next| one.slot == next.slot)
    }

    fn is_get(&self, command: &[Place]) -> bool {
        command.len() == 1 && (self.form == Form::Alone || self.by_slot)
    }

    /// How many answers there are.
    pub(in crate::store::redis) fn count(&self) -> usize {
        match self.are_a_command() {
            true => 1,
            false => self.places.len(),
        }
    }

    pub(super) fn readers(&self) -> usize {
        self.readers
    }

    pub(super) fn clear(&mut self, by_slot: bool) {
        self.arguments.clear();
        self.arguments.shrink_to(ROOM);
        self.places.clear();
        (self.readers, self.form, self.by_slot) = (0, Form::default(), by_slot);
    }
}
