//! Never an error, never a panic, and only ever the value that was stored. A million entries that were
//! damaged at random, and what decoding them allocates, are in `fuzz/`.

use super::*;

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
struct Order {
    id: u64,
    lines: Vec<(String, u32)>,
    notes: Option<String>,
    by_day: HashMap<u16, f64>,
    flags: Vec<()>,
    state: State,
}

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
enum State {
    Open,
    Paid { at: i64, by: Box<Option<Order>> },
}

fn order() -> Order {
    let open = Order {
        id: 42,
        lines: vec![("milk".into(), 2), ("bread".into(), 1)],
        notes: Some("door".into()),
        by_day: HashMap::from([(1, 1.5)]),
        flags: vec![(), ()],
        state: State::Open,
    };
    let by = Box::new(Some(open.clone()));
    Order {
        state: State::Paid { at: -1, by },
        ..open
    }
}

fn formats() -> [Format; 3] {
    [Format::default(), Format::Msgpack, Format::Json]
}

#[test]
fn truncated_and_lengthened_payloads_are_a_miss() {
    for format in formats() {
        let (header, Encoded { mut payload, .. }) = entry(&format, &order());
        let read = |bytes: &[u8]| decode_checked::<Order>(&format, &header, bytes);
        assert!((0..payload.len()).all(|length| read(&payload[..length]).is_none()));
        for more in [0, 0x91, 0xC0, b'x'] {
            payload.push(more);
            assert!(read(&payload).is_none(), "{format:?} and {more:x}");
            payload.pop();
        }
        assert_eq!(read(&payload), Some(order()));
    }
}

#[test]
fn noise_behind_a_good_header_is_a_miss() {
    let mut random = fastrand::Rng::with_seed(7);
    for format in formats() {
        let (header, _) = entry(&format, &order());
        for _ in 0..20_000 {
            let length = random.usize(..200);
            let noise: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            assert_eq!(decode_checked::<Order>(&format, &header, &noise), None);
        }
    }
}

#[test]
fn entries_of_another_codec_are_a_miss() {
    for written in formats() {
        for read in formats() {
            let (header, encoded) = entry(&written, &order());
            let value = decode_checked::<Order>(&read, &header, &encoded.payload);
            // MessagePack is what every codec falls back to.
            let known = read == written || written == Format::Msgpack;
            assert_eq!(value.is_some(), known);
        }
    }
}

#[test]
fn forged_lengths_in_self_describing_formats_are_a_miss() {
    let header = Header {
        codec: Msgpack.id(),
        ..Header::new(Kind::Value, Token::next())
    };
    for marker in [0xC6, 0xDB, 0xDD, 0xDF] {
        let forged = [&[marker, 0x20, 0, 0, 0][..], b"only so much"].concat();
        assert_eq!(decode_checked::<String>(&Msgpack, &header, &forged), None);
        assert_eq!(decode_checked::<Vec<u64>>(&Msgpack, &header, &forged), None);
        assert_eq!(decode_checked::<Vec<()>>(&Msgpack, &header, &forged), None);
        assert_eq!(
            decode_checked::<serde_json::Value>(&Msgpack, &header, &forged),
            None
        );
    }
}

#[test]
fn forged_nesting_is_a_miss() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    enum Chain {
        Link(Box<Chain>),
    }
    let of = |codec| Header {
        codec,
        ..Header::new(Kind::Value, Token::next())
    };
    let links = b"\x81\xA4Link".repeat(100_000);
    assert_eq!(decode_checked::<Chain>(&Msgpack, &of(2), &links), None);
    let lists = vec![0x91; 100_000];
    assert_eq!(
        decode_checked::<serde_json::Value>(&Msgpack, &of(2), &lists),
        None
    );
    let lists = vec![b'['; 100_000];
    assert_eq!(
        decode_checked::<serde_json::Value>(&Json, &of(3), &lists),
        None
    );
}

/// In an element behind the first one, whose shape is known by then.
#[test]
fn forged_nesting_in_an_unknown_field_is_a_miss() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Row {
        id: u8,
    }
    let header = Header {
        codec: 2,
        ..Header::new(Kind::Value, Token::next())
    };
    let field = [&b"\x82\xA2id\x02\xA1x"[..], &[0x91; 1000], &[0xC0]].concat();
    let rows = [&b"\x92\x81\xA2id\x01"[..], &field].concat();
    assert_eq!(decode_checked::<Vec<Row>>(&Msgpack, &header, &rows), None);
    let decoded = Format::Msgpack.decode::<Vec<Row>>(&rows);
    assert!(decoded.is_err(), "{decoded:?}");
}

#[test]
fn what_may_be_stored_is_read_however_its_levels_are_written() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    enum Chain {
        End,
        Link { next: Box<Chain> },
    }
    let link = |chain, _| Chain::Link {
        next: Box::new(chain),
    };
    let deepest = |levels| encode_checked(&Msgpack, &(0..levels).fold(Chain::End, link));
    let levels = (1..200).rfind(|levels| deepest(*levels).is_ok()).unwrap();
    assert!(levels >= 60, "{levels}");
    let mut bytes = Vec::new();
    let chain = (0..levels).fold(Chain::End, link);
    Msgpack.encode(&chain, &mut bytes).unwrap();
    assert_eq!(Msgpack.decode::<Chain>(&bytes).unwrap(), chain);
}

#[test]
fn values_that_nest_too_deep_are_refused_and_not_decoded() {
    let deep =
        |levels| (0..levels).fold(serde_json::json!(1), |value, _| serde_json::json!([value]));
    assert!(encode_checked(&Format::default(), &deep(100)).is_ok());
    let error = encode_checked(&Format::default(), &deep(300)).unwrap_err();
    assert_eq!(format!("{error:?}"), "CodecError(Undigested)");
}
