//! Replies of Redis (RESP2 and RESP3): where they end, and those to GET and MGET.
//!
//! What comes over a connection is not trusted: a length makes no room for more than came, and nothing is
//! read that reads of strings cannot have as an answer.

use bytes::{Buf as _, Bytes, BytesMut};

/// No header is longer: a type, a sign and twenty digits.
const LONGEST: usize = 32;

/// No error is.
const LONGEST_TEXT: usize = 64 * 1024;

/// What is no reply, or none to this command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A reply to GET or MGET, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    String(Bytes),
    Null,
    /// So many follow.
    Array(usize),
    /// What it begins with: texts of the server may quote arguments.
    Error(String),
}

impl Reply {
    pub(crate) fn string(self) -> Option<Bytes> {
        match self {
            Self::String(string) => Some(string),
            _ => None,
        }
    }
}

/// Takes a reply from the beginning of `bytes`; `None`: there is not enough of it.
pub(crate) fn take(bytes: &mut BytesMut) -> Result<Option<Reply>, Malformed> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        let is_text = bytes.first() == Some(&b'-');
        let longest = if is_text { LONGEST_TEXT } else { LONGEST };
        return match bytes.len() < longest {
            true => Ok(None),
            false => Err(Malformed),
        };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(Malformed)?;
    let (kind, text) = line.split_first().ok_or(Malformed)?;
    let reply = match (kind, text) {
        (b'$' | b'*', b"-1") | (b'_', b"") => Reply::Null,
        (b'*', count) => Reply::Array(number(count)?),
        (b'-', text) => Reply::Error(code(text)),
        (b'$', length) => return string(bytes, end + 1, number(length)?),
        _ => return Err(Malformed),
    };
    bytes.advance(end + 1);
    Ok(Some(reply))
}

fn string(bytes: &mut BytesMut, start: usize, length: usize) -> Result<Option<Reply>, Malformed> {
    let whole = start.checked_add(length).and_then(|end| end.checked_add(2));
    let whole = whole.ok_or(Malformed)?;
    if bytes.len() < whole {
        return Ok(None);
    }
    if !bytes[..whole].ends_with(b"\r\n") {
        return Err(Malformed);
    }
    bytes.advance(start);
    let string = bytes.split_to(length).freeze();
    bytes.advance(2);
    Ok(Some(Reply::String(string)))
}

fn code(text: &[u8]) -> String {
    let word = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    String::from_utf8_lossy(word).into_owned()
}

fn number(digits: &[u8]) -> Result<usize, Malformed> {
    if digits.is_empty() {
        return Err(Malformed);
    }
    digits.iter().try_fold(0_usize, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| usize::from(digit - b'0'));
        let tenfold = number.checked_mul(10).ok_or(Malformed)?;
        tenfold
            .checked_add(digit.ok_or(Malformed)?)
            .ok_or(Malformed)
    })
}

/// Finds the ends of replies, or of commands, in bytes that come in pieces.
#[derive(Debug)]
pub(crate) struct Ends {
    /// How many values the current one still has, itself included.
    left: u64,
    at: At,
    /// What the current one began with.
    first: Option<u8>,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Kind,
    /// In the length of a value of this kind, as far as it was read.
    Length(u8, u64),
    /// In a line that says no length, or is the last of a null.
    Line,
    /// So many bytes before the end.
    Bytes(u64),
}

impl Default for Ends {
    fn default() -> Self {
        Self {
            left: 1,
            at: At::Kind,
            first: None,
        }
    }
}

impl Ends {
    /// Whether nothing was seen of the next one.
    pub(crate) fn is_between(&self) -> bool {
        self.first.is_none()
    }

    /// How many of `bytes` belong to the current one, and what that began with if it ends there.
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Result<(usize, Option<u8>), Malformed> {
        let mut at = 0;
        while at < bytes.len() {
            if let At::Bytes(left) = self.at {
                let step = left.min((bytes.len() - at) as u64);
                at += step as usize;
                self.at = At::Bytes(left - step);
                if left > step {
                    break;
                }
                self.end();
            } else {
                self.step(bytes[at])?;
                at += 1;
            }
            if self.left == 0 {
                return Ok((at, std::mem::take(self).first));
            }
        }
        Ok((at, None))
    }

    fn step(&mut self, byte: u8) -> Result<(), Malformed> {
        match (self.at, byte) {
            (At::Kind, kind) => {
                self.first.get_or_insert(kind);
                self.at = match kind {
                    b'$' | b'=' | b'!' | b'*' | b'~' | b'>' | b'%' | b'|' => At::Length(kind, 0),
                    b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => At::Line,
                    _ => return Err(Malformed),
                };
            }
            (At::Line, b'\n') => self.end(),
            (At::Line, _) | (At::Length(..), b'\r') => {}
            (At::Length(kind, length), b'\n') => self.open(kind, length)?,
            (At::Length(_, 0), b'-') => self.at = At::Line,
            (At::Length(kind, length), b'0'..=b'9') => {
                let length = length.checked_mul(10).ok_or(Malformed)?;
                let length = length.checked_add(u64::from(byte - b'0'));
                self.at = At::Length(kind, length.ok_or(Malformed)?);
            }
            _ => return Err(Malformed),
        }
        Ok(())
    }

    /// Those inside of a value come after its length.
    fn open(&mut self, kind: u8, length: u64) -> Result<(), Malformed> {
        let inside = match kind {
            b'$' | b'=' | b'!' => {
                self.at = At::Bytes(length.checked_add(2).ok_or(Malformed)?);
                return Ok(());
            }
            b'%' => length.checked_mul(2),
            // Attributes stand before a value that they say something of.
            b'|' => length
                .checked_mul(2)
                .and_then(|inside| inside.checked_add(1)),
            _ => Some(length),
        };
        let left = inside.and_then(|inside| self.left.checked_add(inside));
        self.left = left.ok_or(Malformed)?;
        self.end();
        Ok(())
    }

    fn end(&mut self) {
        self.left -= 1;
        self.at = At::Kind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(bytes: &[u8]) -> Result<Vec<Reply>, Malformed> {
        let mut bytes = BytesMut::from(bytes);
        let mut replies = Vec::new();
        while let Some(reply) = take(&mut bytes)? {
            replies.push(reply);
        }
        Ok(replies)
    }

    fn string(text: &'static str) -> Reply {
        Reply::String(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn strings_nulls_arrays_and_errors_are_taken_one_after_the_other() {
        let all =
            replies(b"*3\r\n$3\r\na\r\n\r\n$-1\r\n_\r\n$0\r\n\r\n-WRONGTYPE s3cret\r\n$2\r\na");
        let error = Reply::Error("WRONGTYPE".to_owned());
        let expected = [Reply::Array(3), string("a\r\n"), Reply::Null, Reply::Null];
        assert_eq!(all.unwrap(), [&expected[..], &[string(""), error]].concat());
    }

    #[test]
    fn what_these_reads_cannot_have_as_an_answer_is_refused() {
        for bytes in [
            &b"+OK\r\n"[..],
            b":1\r\n",
            b"$x\r\n",
            b"$\r\n",
            b"$-2\r\n",
            b"$1\nx\r\n",
            b"$1\r\nxyz",
            b"$99999999999999999999999\r\n",
            b"$18446744073709551615\r\n",
            b"\r\n",
            &[b'$'; LONGEST],
        ] {
            assert_eq!(replies(bytes), Err(Malformed), "{bytes:?}");
        }
    }

    /// Every kind of reply, one after the other.
    const ALL: [&[u8]; 9] = [
        b"+OK\r\n",
        b"*2\r\n*1\r\n$3\r\n\r\n+\r\n:-1\r\n",
        b">2\r\n+message\r\n$2\r\n\r\n\r\n",
        b"%1\r\n+a\r\n~2\r\n_\r\n#t\r\n",
        b"|1\r\n+a\r\n:1\r\n*0\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"=5\r\ntxt:a\r\n",
        b"-ERR *1\r\n",
    ];

    #[test]
    fn the_end_of_every_reply_is_found_wherever_it_is_cut() {
        let bytes = ALL.concat();
        for size in 1..bytes.len() {
            let (mut ends, mut found, mut at) = (Ends::default(), Vec::new(), 0);
            for piece in bytes.chunks(size) {
                let mut rest = piece;
                while !rest.is_empty() {
                    let (taken, first) = ends.find(rest).unwrap();
                    (rest, at) = (&rest[taken..], at + taken);
                    found.extend(first.map(|first| (first, at)));
                }
            }
            let lengths = ALL.iter().scan(0, |at, reply| {
                *at += reply.len();
                Some((reply[0], *at))
            });
            assert_eq!(found, lengths.collect::<Vec<_>>(), "in pieces of {size}");
            assert!(ends.is_between());
        }
    }

    #[test]
    fn lengths_that_nothing_can_have_are_refused() {
        for bytes in [
            &b"$18446744073709551615\r\n"[..],
            b"%18446744073709551615\r\n",
            b"*99999999999999999999\r\n",
            b"*1x\r\n",
            b"?\r\n",
        ] {
            assert_eq!(Ends::default().find(bytes), Err(Malformed), "{bytes:?}");
        }
    }
}
