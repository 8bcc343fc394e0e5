//! What an entry says beyond its header, between header and payload.
//!
//! Each part has a flag in the header. The parts stand in the order of the fields below, and
//! together they are exactly as long as the header says: a reader that knows a flag less would take
//! a value for what it is not, so an entry with an unknown flag is dead.

/// The parts of one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions<'a> {
    /// The hash of the generations of its tags, from before its load.
    pub(crate) stamp: Option<[u8; 8]>,
    /// The version of the source.
    pub(crate) version: Option<u64>,
    /// What surrounds the function that made it, as a hash.
    pub(crate) origin: Option<u64>,
    /// Tags that the template of its function cannot know. They are part of the stamp.
    pub(crate) named: Vec<&'a str>,
    /// It lives longer than it is fresh.
    pub(crate) window: bool,
    /// Its payload is [packed](crate::wire::packing).
    pub(crate) packed: bool,
    /// What the loader tells this value from others by.
    pub(crate) validator: Option<&'a str>,
}

pub(crate) const TAGS: u8 = 1;
const VERSION: u8 = 2;
pub(crate) const PACKED: u8 = 4;
const ORIGIN: u8 = 8;
const NAMED: u8 = 32;
pub(crate) const WINDOW: u8 = 64;
const VALIDATOR: u8 = 128;

/// How many names fit.
pub(crate) const MOST_NAMED: usize = 64;

impl<'a> Extensions<'a> {
    /// The parts that `flags` announce, if `bytes` are these and nothing else.
    pub(crate) fn parse(flags: u8, bytes: &'a [u8]) -> Option<Self> {
        let has = |flag| flags & flag != 0;
        let known = TAGS | VERSION | PACKED | ORIGIN | NAMED | WINDOW | VALIDATOR;
        // Nobody could tell whether names without a stamp are still of the same generation.
        if flags & !known != 0 || has(NAMED) && !has(TAGS) {
            return None;
        }
        let mut rest = bytes;
        let parsed = Self {
            stamp: part(has(TAGS), || take(&mut rest))?,
            version: part(has(VERSION), || take(&mut rest).map(u64::from_le_bytes))?,
            origin: part(has(ORIGIN), || take(&mut rest).map(u64::from_le_bytes))?,
            named: part(has(NAMED), || names(&mut rest))?.unwrap_or_default(),
            window: has(WINDOW),
            packed: has(PACKED),
            validator: part(has(VALIDATOR), || text(&mut rest))?,
        };
        rest.is_empty().then_some(parsed)
    }

    /// The flags that announce these parts.
    pub(crate) fn flags(&self) -> u8 {
        let flag = |is: bool, flag| if is { flag } else { 0 };
        flag(self.stamp.is_some(), TAGS)
            | flag(self.version.is_some(), VERSION)
            | flag(self.packed, PACKED)
            | flag(self.origin.is_some(), ORIGIN)
            | flag(!self.named.is_empty(), NAMED)
            | flag(self.window, WINDOW)
            | flag(self.validator.is_some(), VALIDATOR)
    }

    /// The parts; `None` if a text is too long or there are too many names.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(self.stamp.as_ref().map_or(&[], |stamp| stamp));
        for number in self.version.iter().chain(&self.origin) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        if !self.named.is_empty() {
            bytes.push(u8::try_from(self.named.len()).ok()?);
        }
        for text in self.named.iter().chain(&self.validator) {
            bytes.extend_from_slice(&u16::try_from(text.len()).ok()?.to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        u16::try_from(bytes.len()).is_ok().then_some(bytes)
    }
}

/// A part that is there, or is not; `None` if it should be and cannot be read.
fn part<T>(is_there: bool, read: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    match is_there {
        true => read().map(Some),
        false => Some(None),
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = u16::from_le_bytes(take(rest)?);
    let (text, after) = rest.split_at_checked(length.into())?;
    *rest = after;
    str::from_utf8(text).ok()
}

fn names<'a>(rest: &mut &'a [u8]) -> Option<Vec<&'a str>> {
    let [count] = take(rest)?;
    let names: Option<Vec<_>> = (0..count).map(|_| text(rest)).collect();
    names.filter(|names| !names.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Extensions<'static> {
        Extensions {
            stamp: Some([7; 8]),
            version: Some(42),
            origin: Some(43),
            named: vec!["team:7", "ü"],
            window: true,
            packed: true,
            validator: Some("\"abc\""),
        }
    }

    #[test]
    fn every_part_comes_back_with_and_without_the_others() {
        for without in 0..128 {
            let mut parts = all();
            parts.version = parts.version.filter(|_| without & 1 == 0);
            parts.window = without & 2 == 0;
            parts.packed = without & 64 == 0;
            parts.validator = parts.validator.filter(|_| without & 4 == 0);
            parts.origin = parts.origin.filter(|_| without & 32 == 0);
            if without & 8 != 0 {
                parts.named.clear();
            }
            if without & 16 != 0 {
                parts.named.clear();
                parts.stamp = None;
            }
            let bytes = parts.bytes().unwrap();
            assert_eq!(Extensions::parse(parts.flags(), &bytes), Some(parts));
        }
    }

    #[test]
    fn tags_cost_an_entry_8_bytes_and_those_it_names_their_names_and_2_more() {
        let stamp = Some([7; 8]);
        let of = |named: Vec<&str>| {
            let extensions = Extensions {
                stamp,
                named,
                ..Extensions::default()
            };
            extensions.bytes().unwrap().len()
        };
        assert_eq!(of(vec![]), 8);
        assert_eq!(of(vec!["team:7", "all"]), 8 + 1 + (2 + 6) + (2 + 3));
    }

    #[test]
    fn parts_that_are_cut_or_followed_by_others_are_none() {
        let (flags, bytes) = (all().flags(), all().bytes().unwrap());
        for length in 0..bytes.len() {
            assert_eq!(Extensions::parse(flags, &bytes[..length]), None);
        }
        assert_eq!(Extensions::parse(flags, &[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn odd_parts_are_none() {
        for (what, flags, bytes) in [
            ("an unknown flag", 16, &b""[..]),
            ("names without a stamp", NAMED, b"\x01\x01\x00a"),
            ("no names", TAGS | NAMED, b"12345678\x00"),
            (
                "a name that is no text",
                TAGS | NAMED,
                b"12345678\x01\x01\x00\xff",
            ),
            (
                "a name that claims more",
                TAGS | NAMED,
                b"12345678\x01\xff\xffa",
            ),
        ] {
            assert_eq!(Extensions::parse(flags, bytes), None, "{what}");
        }
    }

    #[test]
    fn as_many_names_as_are_allowed_fit_however_long_tags_may_be() {
        let longest = "x".repeat(512);
        let named = vec![longest.as_str(); MOST_NAMED];
        let parts = Extensions {
            named,
            ..Extensions::default()
        };
        assert!(parts.bytes().is_some());
    }
}
