//! Replies of Redis (RESP2 and RESP3): where they [end](Ends), and those to GET and MGET.
//!
//! What comes over a connection is not trusted: a length is refused that Redis itself would not have, and
//! makes no room for more than came; and nothing is read that reads of strings cannot have as an answer.

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};

mod ends;

pub(crate) use ends::Ends;

/// No header is longer: a type, a sign and twenty digits.
const LONGEST: usize = 32;

/// No error is.
const LONGEST_TEXT: usize = 64 * 1024;

/// No string is (`proto-max-bulk-len`).
const LONGEST_STRING: u64 = 512 * 1024 * 1024;

/// Nothing has more parts: no command names so many keys.
const MOST_PARTS: u64 = 1024 * 1024;

/// A smaller string is copied: as a slice it would keep all that was received with it, 16 KB or more, for as
/// long as somebody keeps an entry. Copies share chunks of so many bytes, and so allocate next to nothing.
const SMALL: usize = 512;
const CHUNK: usize = 4 * SMALL;

/// From here on a string is copied, too, and what comes behind it: the buffer has grown with it, up to twice as
/// large, and neither the connection nor a smaller string shall keep that.
const LARGE: usize = 16 * 1024;

/// What is no reply, or none to this command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// How the reply to a GET or an MGET ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Answers,
    /// It ended where it should, and is none that this command can have.
    Odd,
    /// What the text begins with, as the rest of it may quote arguments; all of one that says where else to go.
    Error(String),
}

/// The answers to some GETs and MGETs, as they come.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) strings: Vec<Option<Bytes>>,
    /// How many were there before those of the current reply.
    begun: usize,
    /// How many are left of its array.
    left: Option<usize>,
    is_odd: bool,
    /// Room for the next small ones.
    small: BytesMut,
}

impl Answers {
    /// Takes them from the beginning of `bytes`, so many of an array or one by itself. `None`: there is not
    /// enough of the reply.
    pub(crate) fn take(
        &mut self,
        bytes: &mut BytesMut,
        count: Option<usize>,
    ) -> Result<Option<Reply>, Malformed> {
        while let Some(part) = self.part(bytes)? {
            match (part, self.left) {
                (Part::Error(code), None) => return Ok(Some(Reply::Error(code))),
                (Part::Array(length), None) => {
                    self.is_odd = Some(length) != count;
                    self.left = Some(length);
                }
                (Part::Array(_), Some(_)) => return Err(Malformed),
                (part, left) => {
                    self.add(part, left.is_none() && count.is_some());
                    self.left = Some(left.unwrap_or(1) - 1);
                }
            }
            match (self.left, self.is_odd) {
                (Some(0), false) => return Ok(Some(Reply::Answers)),
                (Some(0), true) => return Ok(Some(Reply::Odd)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The same for one by itself that may be a line too, as numbers are.
    pub(crate) fn take_any(&mut self, bytes: &mut BytesMut) -> Result<Option<Reply>, Malformed> {
        if !matches!(bytes.first(), Some(b':' | b'+')) {
            return self.take(bytes, None);
        }
        let Some(end) = line(bytes, LONGEST)? else {
            return Ok(None);
        };
        let line = copied(&bytes[1..end - 1], &mut self.small);
        bytes.advance(end + 1);
        self.strings.push(Some(line));
        Ok(Some(Reply::Answers))
    }

    /// The next part. A small string is copied from where it stands.
    fn part(&mut self, bytes: &mut BytesMut) -> Result<Option<Part>, Malformed> {
        let Some(place) = small(bytes) else {
            return part(bytes, &mut self.small);
        };
        let end = place.end + 2;
        let string = copied(&bytes[place], &mut self.small);
        bytes.advance(end);
        Ok(Some(Part::String(string)))
    }

    /// Of those that this command cannot have there may be any number.
    fn add(&mut self, part: Part, is_odd: bool) {
        match part {
            Part::String(string) => self.strings.push(Some(string)),
            Part::Null => self.strings.push(None),
            _ => self.is_odd = true,
        }
        self.is_odd |= is_odd;
        if self.is_odd {
            self.strings.truncate(self.begun);
        }
    }

    pub(crate) fn begun(&self) -> usize {
        self.begun
    }

    /// The reply to so many keys has ended; of one that has none of their strings, nothing stands.
    pub(crate) fn end(&mut self, count: usize) {
        self.begun += count;
        self.strings.resize(self.begun, None);
        (self.left, self.is_odd) = (None, false);
    }

    /// Before the first of the next ones.
    pub(crate) fn clear(&mut self) {
        self.strings.clear();
        (self.begun, self.left, self.is_odd) = (0, None, false);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    String(Bytes),
    Null,
    /// So many follow.
    Array(usize),
    Error(String),
}

/// Where a small string stands that is what comes next, if it is whole and nothing about it is unusual.
fn small(bytes: &[u8]) -> Option<Range<usize>> {
    let text = bytes.strip_prefix(b"$")?;
    let digits = text.iter().take(4).take_while(|byte| byte.is_ascii_digit());
    let digits = digits.count();
    let length = length(b'$', &text[..digits]).ok()?;
    let start = 1 + digits + 2;
    let end = start + length;
    let is_whole = bytes.get(end..end + 2)? == b"\r\n" && bytes[1 + digits..start] == *b"\r\n";
    (is_whole && length < SMALL).then_some(start..end)
}

/// Takes a part of a reply from the beginning of `bytes`, with `small` as room for a small string; `None`: there is
/// not enough of it.
fn part(bytes: &mut BytesMut, small: &mut BytesMut) -> Result<Option<Part>, Malformed> {
    let is_text = bytes.first() == Some(&b'-');
    let longest = if is_text { LONGEST_TEXT } else { LONGEST };
    let Some(end) = line(bytes, longest)? else {
        return Ok(None);
    };
    let (kind, text) = bytes[..end - 1].split_first().ok_or(Malformed)?;
    let part = match (kind, text) {
        (b'$' | b'*', b"-1") | (b'_', b"") => Part::Null,
        (b'*', count) => Part::Array(length(b'*', count)?),
        (b'-', text) => Part::Error(code(text)),
        (b'$', text) => {
            let string = string(bytes, end + 1, length(b'$', text)?, small)?;
            return Ok(string.map(Part::String));
        }
        _ => return Err(Malformed),
    };
    bytes.advance(end + 1);
    Ok(Some(part))
}

/// Where the first line ends; `None`: there is not enough of it.
fn line(bytes: &[u8], longest: usize) -> Result<Option<usize>, Malformed> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let is_whole = |end: usize| bytes[..end].ends_with(b"\r");
    match end {
        _ if end.unwrap_or(bytes.len()) >= longest => Err(Malformed),
        Some(end) if !is_whole(end) => Err(Malformed),
        end => Ok(end),
    }
}

fn string(
    bytes: &mut BytesMut,
    start: usize,
    length: usize,
    small: &mut BytesMut,
) -> Result<Option<Bytes>, Malformed> {
    let whole = start + length + 2;
    if bytes.len() < whole {
        return Ok(None);
    }
    if !bytes[..whole].ends_with(b"\r\n") {
        return Err(Malformed);
    }
    if length < SMALL {
        let string = copied(&bytes[start..start + length], small);
        bytes.advance(whole);
        return Ok(Some(string));
    }
    let mut string = bytes.split_to(whole);
    string.advance(start);
    string.truncate(length);
    if length < LARGE {
        return Ok(Some(string.freeze()));
    }
    // With more behind it, it is left a little later.
    if bytes.len() < length {
        *bytes = BytesMut::from(&bytes[..]);
    }
    Ok(Some(Bytes::copy_from_slice(&string)))
}

/// As a slice of a chunk.
fn copied(string: &[u8], chunk: &mut BytesMut) -> Bytes {
    if chunk.capacity() < string.len() {
        chunk.reserve(CHUNK);
    }
    chunk.extend_from_slice(string);
    chunk.split().freeze()
}

/// Its first word, or all of one that says where else to go.
fn code(text: &[u8]) -> String {
    let word = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    let code = if matches!(word, b"MOVED" | b"ASK") {
        text
    } else {
        word
    };
    String::from_utf8_lossy(code).into_owned()
}

fn length(kind: u8, digits: &[u8]) -> Result<usize, Malformed> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    let length = digits.iter().fold(0, |length, digit| and(length, *digit));
    possible(kind, length).map(|length| length as usize)
}

/// A number with one digit more.
fn and(number: u64, digit: u8) -> u64 {
    let tenfold = number.saturating_mul(10);
    tenfold.saturating_add(u64::from(digit - b'0'))
}

/// That of a value of this kind.
fn possible(kind: u8, length: u64) -> Result<u64, Malformed> {
    let most = match kind {
        b'$' | b'=' | b'!' => LONGEST_STRING,
        _ => MOST_PARTS,
    };
    (length <= most).then_some(length).ok_or(Malformed)
}

#[cfg(test)]
mod tests;
