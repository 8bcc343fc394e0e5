use std::collections::HashSet;

use super::*;

fn entry() -> Vec<u8> {
    let header = Header {
        codec: 1,
        ..Header::new(Kind::Value, Token::next())
    };
    header.extended(&[], b"payload").to_vec()
}

fn with(at: usize, byte: u8) -> Vec<u8> {
    let mut entry = entry();
    entry[at] = byte;
    entry
}

#[test]
fn tokens_are_new_every_time() {
    let tokens: HashSet<_> = (0..1000).map(|_| Token::next()).collect();
    assert_eq!(tokens.len(), 1000);
    let process = Token::next().0;
    assert_eq!(process[..8], Token::next().0[..8]);
    assert_ne!(process[..8], [0; 8]);
}

#[test]
fn odd_headers_are_no_entries() {
    assert!(Header::parse(&entry()).is_some());
    for (what, bytes) in [
        ("another magic", with(0, 0xCB)),
        ("an unknown kind", with(1, b'X')),
        ("an unknown layout", with(2, 2)),
        ("layout 0", with(2, 0)),
        ("an unknown flag", with(3, 16)),
        ("a flag without its extension", with(3, 1)),
        ("extensions", with(44, 1)),
        ("many extensions", with(45, 0xFF)),
        ("the reserved byte", with(47, 1)),
        ("a lease with a payload", with(1, b'L')),
        ("a negative entry with a payload", with(1, b'N')),
        ("foreign bytes", b"{\"id\":1}".repeat(20)),
    ] {
        assert_eq!(Header::parse(&bytes), None, "{what}");
    }
}

#[test]
fn truncated_headers_are_no_entries() {
    let entry = entry();
    for length in 0..HEADER {
        assert_eq!(Header::parse(&entry[..length]), None);
    }
}

#[test]
fn a_payload_begins_behind_its_extensions() {
    let parts = Extensions {
        stamp: Some([1; 8]),
        named: vec!["users"],
        ..Extensions::default()
    };
    let header = Header::new(Kind::Value, Token::next());
    let entry = header.entry(&parts, b"payload").unwrap();
    let (header, payload) = Header::parse(&entry).unwrap();
    assert_eq!(payload, b"payload");
    let live = Live::new(header, entry);
    assert!(live.payload() == b"payload" && live.header.is_tagged());
    assert_eq!(extensions(&live.entry), Some(parts));
}

#[test]
fn extensions_of_a_lease_or_before_too_little_are_no_entries() {
    let parts = Extensions {
        stamp: Some([1; 8]),
        ..Extensions::default()
    };
    let lease = Header::new(Kind::Lease, Token::next()).entry(&parts, b"");
    assert_eq!(Header::parse(&lease.unwrap()), None);
    let entry = Header::new(Kind::Value, Token::next()).entry(&parts, b"");
    assert_eq!(Header::parse(&entry.unwrap()[..HEADER + 7]), None);
}

#[test]
fn tombstones_of_later_versions_are_obeyed() {
    let mut tombstone = Header::new(Kind::Tombstone, Token::next())
        .extended(&[], &[1; 24])
        .to_vec();
    assert_eq!(Header::parse(&tombstone), None);
    tombstone[3] = 4 | 8 | 16;
    tombstone[44] = 24;
    let (header, payload) = Header::parse(&tombstone).unwrap();
    assert_eq!((header.kind, payload), (Kind::Tombstone, &b""[..]));
}
