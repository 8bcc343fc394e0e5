//! Percent-escaping guards the structure of a key: separators, globs, braces and the escape
//! character itself never come from a value.

use std::fmt;

/// Bytes that may need escaping. Everything above ASCII is looked at as a character.
const SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte as u8 >= 0x7f || byte as u8 <= b' ' || is_reserved(byte as u8);
        byte += 1;
    }
    table
};

const fn is_reserved(byte: u8) -> bool {
    matches!(
        byte,
        b'%' | b':' | b'*' | b'?' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'\\'
    )
}

/// Appends what is written to it, escaped.
pub(super) struct Escaped<'a>(pub(super) &'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Most values are numbers and identifiers: one pass over the bytes, one copy.
        match text.bytes().position(|byte| SUSPECT[usize::from(byte)]) {
            None => self.0.push_str(text),
            Some(clean) => {
                self.0.push_str(&text[..clean]);
                text[clean..].chars().for_each(|c| push(self.0, c));
            }
        }
        Ok(())
    }
}

fn push(out: &mut String, c: char) {
    if is_escaped(c) {
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            out.push('%');
            out.push(hex(byte >> 4));
            out.push(hex(byte & 15));
        }
    } else {
        out.push(c);
    }
}

fn is_escaped(c: char) -> bool {
    c.is_whitespace() || c.is_control() || u8::try_from(c).is_ok_and(is_reserved)
}

/// Whether no value renders with this character in it.
pub(crate) fn separates(c: char) -> bool {
    is_escaped(c) && c != '%'
}

fn hex(nibble: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(nibble)])
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        write!(Escaped(&mut out), "{text}").unwrap();
        out
    }

    fn unescaped(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, tail @ ..] = rest {
            if *first == b'%' {
                let code = std::str::from_utf8(&tail[..2]).unwrap();
                bytes.push(u8::from_str_radix(code, 16).unwrap());
                rest = &tail[2..];
            } else {
                bytes.push(*first);
                rest = tail;
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn reserved_characters_are_escaped_and_the_rest_stands() {
        assert_eq!(escaped("plain-text_1.5/ü"), "plain-text_1.5/ü");
        assert_eq!(
            escaped("%:*?[]{}<>\\ \n\u{7f}"),
            "%25%3A%2A%3F%5B%5D%7B%7D%3C%3E%5C%20%0A%7F"
        );
        assert_eq!(
            escaped("a\u{a0}b\u{85}c\u{2003}"),
            "a%C2%A0b%C2%85c%E2%80%83"
        );
    }

    #[test]
    fn every_character_can_be_told_from_its_escaped_form() {
        for c in '\0'..=char::MAX {
            let text = String::from(c);
            let escaped = escaped(&text);
            assert_eq!(unescaped(&escaped), text);
            assert!(!escaped.contains([':', '*', '?', '[', ']', '{', '}', '<', '>', '\\', ' ']));
        }
    }
}
