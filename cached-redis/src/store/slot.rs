//! The slot of a key: by it the servers of a Redis Cluster share the keys out among them.

use std::sync::LazyLock;

/// How many slots there are.
pub(crate) const SLOTS: usize = 16_384;

/// That of `key`: of what stands between its first `{` and the next `}`, if anything does, so that keys can be
/// kept together; else of all of it.
pub(crate) fn slot(key: impl AsRef<[u8]>) -> u16 {
    crc16(hashed(key.as_ref())) % SLOTS as u16
}

/// That of all keys which begin with `prefix`, if it says so.
pub(crate) fn slot_of_all(prefix: &str) -> Option<u16> {
    tag(prefix.as_bytes()).map(slot)
}

/// What stands between braces in a key of `slot` that has nothing else to be there by.
pub(crate) fn number_in(slot: u16) -> u32 {
    static NUMBERS: LazyLock<Box<[u32]>> = LazyLock::new(|| {
        let (mut numbers, mut rest) = (vec![u32::MAX; SLOTS], SLOTS);
        let mut number = 0;
        while rest > 0 {
            let of = &mut numbers[usize::from(self::slot(number.to_string()))];
            rest -= usize::from(*of == u32::MAX);
            *of = number.min(*of);
            number += 1;
        }
        numbers.into()
    });
    NUMBERS[usize::from(slot)]
}

fn hashed(key: &[u8]) -> &[u8] {
    tag(key).unwrap_or(key)
}

fn tag(key: &[u8]) -> Option<&[u8]> {
    let position = |of: &[u8], byte| of.iter().position(|it| *it == byte);
    let rest = &key[position(key, b'{')? + 1..];
    let tag = &rest[..position(rest, b'}')?];
    (!tag.is_empty()).then_some(tag)
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = table();
    let step = |crc: u16, byte: &u8| {
        let at = usize::from((crc >> 8) ^ u16::from(*byte));
        (crc << 8) ^ TABLE[at]
    };
    bytes.iter().fold(0, step)
}

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc << 1) ^ (0x1021 * (crc >> 15));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::server::Server;

    #[test]
    fn the_checksum_is_the_one_that_the_specification_names() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
    }

    #[test]
    fn each_slot_has_a_number_that_is_in_it() {
        for of in 0..SLOTS as u16 {
            assert_eq!(slot(format!("any:{{{}}}", number_in(of))), of);
        }
    }

    #[test]
    fn a_beginning_tells_the_slot_if_it_has_a_whole_tag() {
        assert_eq!(slot_of_all("app:{7}:user:"), Some(slot("7")));
        for prefix in ["app:", "app:{7", "app:{}", "app:{}:{7}"] {
            assert_eq!(slot_of_all(prefix), None, "{prefix}");
        }
    }

    #[test]
    fn a_key_is_in_the_slot_that_the_server_says() {
        let server = Server::start_with(&["--cluster-enabled", "yes", "--cluster-port", "0"]);
        let pieces = ["a", "{", "}", "user", ":", "{}", "}{", "\n", "42", "é"];
        let key = || -> String {
            let length = fastrand::usize(..8);
            let piece = |_| pieces[fastrand::usize(..pieces.len())];
            (0..length).map(piece).collect()
        };
        let special = ["", "{", "{}", "{}a", "a{b}{c}", "{{a}}", "}{a}"].map(str::to_owned);
        for key in special.into_iter().chain((0..500).map(|_| key())) {
            let said = server.command(&[b"CLUSTER", b"KEYSLOT", key.as_bytes()]);
            assert_eq!(format!(":{}", slot(&key)), said, "{key:?}");
        }
    }
}
