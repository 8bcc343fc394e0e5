//! Entries as the released layouts wrote them. They must decode for ever: never change one, only
//! add those of a new layout.

use super::*;

fn header(kind: Kind) -> Header {
    let token = Token::of(0x0123_4567_89AB_CDEF, 42);
    Header::new(kind, token)
}

fn value() -> Header {
    Header {
        fingerprint: 0xDEAD_BEEF,
        epoch: 7,
        load_time: 1_234,
        filled_at: 1_750_000_000_123,
        soft_ttl: 300_000,
        codec: 1,
        ..header(Kind::Value)
    }
}

fn pending() -> Header {
    Header {
        fingerprint: 0xDEAD_BEEF,
        codec: 2,
        ..header(Kind::Pending)
    }
}

fn negative() -> Header {
    Header {
        load_time: 15,
        filled_at: 1_750_000_000_123,
        ..header(Kind::Negative)
    }
}

const VALUE_1: &str = "\
    ca560100efbeaddeefcdab89674523012a00000000000000\
    07000000d20400007bdc207497010000e093040000000100\
    68690a";
const NEGATIVE_1: &str = "\
    ca4e010000000000efcdab89674523012a00000000000000\
    000000000f0000007bdc2074970100000000000000000000";
const LEASE_1: &str = "\
    ca4c010000000000efcdab89674523012a00000000000000\
    000000000000000000000000000000000000000000000000";
const PENDING_1: &str = "\
    ca500100efbeaddeefcdab89674523012a00000000000000\
    000000000000000000000000000000000000000000000200\
    68690a";

const TAGGED_1: &str = "\
    ca5601e3efbeaddeefcdab89674523012a00000000000000\
    07000000d20400007bdc207497010000e093040028000100\
    08070605040302012a00000000000000\
    0206007465616d3a370500757365727306002276372d6122\
    68690a";

/// One of each.
fn extensions() -> Extensions<'static> {
    Extensions {
        stamp: Some([8, 7, 6, 5, 4, 3, 2, 1]),
        version: Some(42),
        origin: None,
        named: vec!["team:7", "users"],
        window: true,
        packed: false,
        validator: Some("\"v7-a\""),
    }
}

const IN_A_TYPE_1: &str = "\
    ca4e010800000000efcdab89674523012a00000000000000\
    000000000f0000007bdc2074970100000000000008000000\
    efcdab8967452301";

/// One that was made in a generic `impl`.
fn in_a_type() -> Extensions<'static> {
    Extensions {
        origin: Some(0x0123_4567_89AB_CDEF),
        ..Extensions::default()
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn entries_of_layout_1_decode_for_ever() {
    let lease = header(Kind::Lease);
    for (golden, header, payload) in [
        (VALUE_1, value(), &b"hi\n"[..]),
        (NEGATIVE_1, negative(), b""),
        (LEASE_1, lease, b""),
        (PENDING_1, pending(), b"hi\n"),
    ] {
        assert_eq!(Header::parse(&bytes(golden)), Some((header, payload)));
    }
}

#[test]
fn entries_are_written_in_layout_1() {
    assert_eq!(hex(&value().extended(&[], b"hi\n")), VALUE_1);
    assert_eq!(hex(&negative().extended(&[], b"")), NEGATIVE_1);
    assert_eq!(hex(&Header::lease(header(Kind::Lease).token)), LEASE_1);
    assert_eq!(hex(&pending().extended(&[], b"hi\n")), PENDING_1);
}

#[test]
fn extensions_of_layout_1_decode_for_ever() {
    let tagged = bytes(TAGGED_1);
    let (header, payload) = Header::parse(&tagged).unwrap();
    assert_eq!(payload, b"hi\n");
    assert_eq!(super::extensions(&tagged), Some(extensions()));
    let plain = Header {
        flags: 0,
        extensions: 0,
        ..header
    };
    assert_eq!(plain, value());
    assert_eq!(super::extensions(&bytes(IN_A_TYPE_1)), Some(in_a_type()));
}

const PACKED_1: &str = "\
    ca560104efbeaddeefcdab89674523012a00000000000000\
    07000000d20400007bdc207497010000e093040000000100\
    28b52ffd2432450000106869010015392c127717d4";

#[test]
fn packed_payloads_of_layout_1_decode_for_ever() {
    let entry = bytes(PACKED_1);
    let (header, _) = Header::parse(&entry).unwrap();
    let live = Live::new(header, entry.into());
    let unpacked = live.unpacked(1000);
    match cfg!(feature = "zstd") {
        true => assert_eq!(unpacked.as_deref(), Ok(&b"hi".repeat(25)[..])),
        false => assert_eq!(unpacked, Err(Unpackable::NotBuilt)),
    }
}

#[test]
fn extensions_are_written_in_layout_1() {
    let tagged = value().entry(&extensions(), b"hi\n").unwrap();
    assert_eq!(hex(&tagged), TAGGED_1);
    let in_a_type = negative().entry(&in_a_type(), b"").unwrap();
    assert_eq!(hex(&in_a_type), IN_A_TYPE_1);
}

#[test]
fn what_is_pending_is_known_by_its_first_bytes() {
    assert!(is_pending(&bytes(PENDING_1)));
    for other in [VALUE_1, NEGATIVE_1, LEASE_1, TAGGED_1] {
        assert!(!is_pending(&bytes(other)));
    }
    assert!(!is_pending(b"") && !is_pending(b"P"));
    // It has no extensions: a flag that is not known makes it none.
    let mut odd = bytes(PENDING_1);
    odd[3] = 1;
    assert_eq!(Header::parse(&odd), None);
}
