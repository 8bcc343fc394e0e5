//! Where replies end, whatever they are.

use std::mem;

use super::{Malformed, and, possible};

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
    Length(u8, Option<u64>),
    /// At the end of its line.
    Opened(u8, u64),
    /// In a line that says no length, or is the last of a null; whether it may end with the next byte.
    Line(bool),
    /// So many bytes before the end of a string, which a line's end follows.
    Bytes(u64),
    Return,
    Newline,
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
                self.at = At::within(left - step);
            } else {
                self.step(bytes[at])?;
                at += 1;
            }
            if self.left == 0 {
                return Ok((at, mem::take(self).first));
            }
        }
        Ok((at, None))
    }

    fn step(&mut self, byte: u8) -> Result<(), Malformed> {
        self.at = match (self.at, byte) {
            (At::Kind, kind) => {
                self.first.get_or_insert(kind);
                match kind {
                    b'$' | b'=' | b'!' | b'*' | b'~' | b'>' | b'%' | b'|' => At::Length(kind, None),
                    b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => At::Line(false),
                    _ => return Err(Malformed),
                }
            }
            (At::Line(true) | At::Newline, b'\n') => self.end(),
            (At::Line(_), byte) => At::Line(byte == b'\r'),
            (At::Length(b'$' | b'*', None), b'-') => At::Line(false),
            (At::Length(kind, length), b'0'..=b'9') => {
                At::Length(kind, Some(and(length.unwrap_or(0), byte)))
            }
            (At::Length(kind, Some(length)), b'\r') => At::Opened(kind, possible(kind, length)?),
            (At::Opened(kind, length), b'\n') => self.open(kind, length),
            (At::Return, b'\r') => At::Newline,
            _ => return Err(Malformed),
        };
        Ok(())
    }

    /// Those inside of a value come after its length, and attributes before a value that they say
    /// something of.
    fn open(&mut self, kind: u8, length: u64) -> At {
        self.left += match kind {
            b'$' | b'=' | b'!' => return At::within(length),
            b'%' => 2 * length,
            b'|' => 2 * length + 1,
            _ => length,
        };
        self.end()
    }

    fn end(&mut self) -> At {
        self.left -= 1;
        At::Kind
    }
}

impl At {
    fn within(left: u64) -> Self {
        match left {
            0 => Self::Return,
            left => Self::Bytes(left),
        }
    }
}
