//! The slot of a key: by it the servers of a Redis Cluster share the keys out among them.

/// How many slots there are.
pub(crate) const SLOTS: usize = 16_384;

/// That of `key`: of what stands between its first `{` and the next `}`, if anything does, so that keys can be
/// kept together; else of all of it.
pub(crate) fn slot(key: impl AsRef<[u8]>) -> u16 {
    crc16(hashed(key.as_ref())) % SLOTS as u16
}

fn hashed(key: &[u8]) -> &[u8] {
    let position = |of: &[u8], byte| of.iter().position(|it| *it == byte);
    let tag = position(key, b'{').map(|open| &key[open + 1..]);
    let tag = tag.and_then(|rest| Some(&rest[..position(rest, b'}')?]));
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
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
