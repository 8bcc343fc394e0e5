//! What a batch reads.

use xxhash_rust::xxh3::xxh3_64;

#[derive(Default)]
pub(in crate::store::redis) struct Keys {
    /// The keys as the arguments of a command.
    arguments: Vec<u8>,
    places: Vec<Place>,
    readers: usize,
    is_alone: bool,
}

/// Those of the answers to one reader.
pub(super) enum Places {
    One(usize),
    Several(Box<[usize]>),
}

struct Place {
    hash: u64,
    /// Where the key stands in the arguments.
    start: usize,
    end: usize,
}

impl Keys {
    /// The places of the answers to `keys`, for one more reader.
    pub(super) fn places(&mut self, keys: &[&str]) -> Places {
        self.readers += 1;
        match keys {
            [key] => Places::One(self.place(key)),
            keys => Places::Several(keys.iter().map(|key| self.place(key)).collect()),
        }
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
        self.places.push(Place { hash, start, end });
        self.places.len() - 1
    }

    /// Nobody joins them.
    pub(super) fn stay_alone(&mut self) {
        self.is_alone = true;
    }

    /// Whether a GET reads them.
    pub(in crate::store::redis) fn are_one(&self) -> bool {
        self.is_alone && self.places.len() == 1
    }

    /// Appends the command that reads them.
    pub(in crate::store::redis) fn command(&self, bytes: &mut Vec<u8>) {
        header(bytes, b'*', 1 + self.places.len());
        let name: &[u8] = match self.are_one() {
            true => b"$3\r\nGET\r\n",
            false => b"$4\r\nMGET\r\n",
        };
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&self.arguments);
    }

    pub(in crate::store::redis) fn count(&self) -> usize {
        self.places.len()
    }

    pub(super) fn readers(&self) -> usize {
        self.readers
    }

    pub(super) fn clear(&mut self) {
        self.arguments.clear();
        self.places.clear();
        (self.readers, self.is_alone) = (0, false);
    }
}

fn header(bytes: &mut Vec<u8>, kind: u8, count: usize) {
    bytes.push(kind);
    digits(bytes, count);
    bytes.extend_from_slice(b"\r\n");
}

fn digits(bytes: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        digits(bytes, number / 10);
    }
    bytes.push(b'0' + (number % 10) as u8);
}
