//! A command as it is sent. What goes past the client is written down at once: a list of its arguments beside them costs
//! as much as all else that is done for it here.

use redis::{Arg, Cmd};

/// What a command can be made as: its name and its arguments, one after the other.
pub(super) trait Form: Sized {
    /// Of so many parts, with room for so many bytes.
    fn of(parts: usize, size: usize) -> Self;

    fn with(self, part: &[u8]) -> Self;

    fn with_all(self, parts: &[&[u8]]) -> Self {
        parts.iter().fold(self, |form, part| form.with(part))
    }
}

/// See the module.
#[derive(Clone)]
pub(super) struct Packed(Vec<u8>);

/// What stands before each part, with its length, and behind it.
const FRAME: usize = 12;

impl Form for Packed {
    fn of(parts: usize, size: usize) -> Self {
        let mut bytes = Vec::with_capacity(size + FRAME * (parts + 1));
        header(&mut bytes, b'*', parts);
        Self(bytes)
    }

    fn with(mut self, part: &[u8]) -> Self {
        header(&mut self.0, b'$', part.len());
        self.0.extend_from_slice(part);
        self.0.extend_from_slice(b"\r\n");
        self
    }
}

impl Form for Cmd {
    fn of(parts: usize, size: usize) -> Self {
        Self::with_capacity(parts, size)
    }

    fn with(mut self, part: &[u8]) -> Self {
        self.arg(part);
        self
    }
}

impl Packed {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its name and its arguments.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let (_, mut rest) = after_header(&self.0);
        std::iter::from_fn(move || {
            let (length, after) = (!rest.is_empty()).then(|| after_header(rest))?;
            let (part, after) = after.split_at(length);
            rest = &after[2..];
            Some(part)
        })
    }

    /// For the client.
    pub(super) fn to_cmd(&self) -> Cmd {
        self.parts().fold(Cmd::new(), Form::with)
    }
}

/// Those of a command of the client.
pub(super) fn parts(command: &Cmd) -> impl Iterator<Item = &[u8]> {
    command.args_iter().filter_map(|part| match part {
        Arg::Simple(part) => Some(part),
        _ => None,
    })
}

/// What a command begins with, and each of its parts: a kind, and a length or a count.
pub(super) fn header(bytes: &mut Vec<u8>, kind: u8, count: usize) {
    bytes.push(kind);
    bytes.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    bytes.extend_from_slice(b"\r\n");
}

/// What a [header] says, and what comes behind it.
fn after_header(bytes: &[u8]) -> (usize, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\r').unwrap_or(0);
    let digits = bytes[1..end].iter();
    let number = digits.fold(0, |number, digit| 10 * number + usize::from(digit - b'0'));
    (number, &bytes[end + 2..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_client_would_have_sent() {
        let long = [b'x'; 1234];
        let parts: [&[u8]; 5] = [b"SET", b"a\r\n$3", b"", &long, b"PX"];
        let packed = Packed::of(5, 0).with_all(&parts);
        let command = Cmd::of(5, 0).with_all(&parts);
        assert_eq!(packed.bytes(), command.get_packed_command());
        assert!(packed.parts().eq(parts));
        assert_eq!(packed.to_cmd().get_packed_command(), packed.bytes());
        assert!(super::parts(&command).eq(parts));
    }
}
