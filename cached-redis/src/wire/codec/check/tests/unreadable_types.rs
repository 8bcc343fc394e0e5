//! In the default format.

use std::fmt::Debug;

use super::*;

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Flat {
    id: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<Untagged>),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(tag = "kind")]
enum Tagged {
    A { x: u8 },
    B,
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<u8>,
    b: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    c: Vec<u8>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Shifting {
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<u8>,
    b: u32,
    c: String,
}

fn falls_back<T: Serialize + DeserializeOwned + Debug + PartialEq>(value: T) {
    let (header, encoded) = entry(&Format::default(), &value);
    assert_eq!(
        encoded.fell_back.is_some(),
        Format::default() != Format::Msgpack
    );
    assert_eq!(encoded.codec, Msgpack.id());
    assert_eq!(
        decode_checked(&Format::default(), &header, &encoded.payload),
        Some(value)
    );
}

#[test]
fn they_fall_back_to_msgpack_and_come_back_the_same() {
    falls_back(Flat {
        id: 1,
        rest: BTreeMap::from([("x".into(), serde_json::json!([1, null]))]),
    });
    falls_back(Untagged::List(vec![
        Untagged::Number(-5),
        Untagged::Text("a".into()),
    ]));
    falls_back(vec![Tagged::A { x: 1 }, Tagged::B]);
    falls_back(vec![
        Sparse {
            a: None,
            b: 1,
            c: vec![]
        };
        2
    ]);
    falls_back(serde_json::json!({"a": [1, -1, 1.5, "x", true, null], "b": {}}));
}

#[test]
fn a_skipped_field_never_turns_into_garbage() {
    let all_there = Sparse {
        a: Some(1),
        b: 2,
        c: vec![3],
    };
    assert_eq!(reread(Format::default(), &all_there), Some(all_there));
    // Without `a`, the rest decodes well: as `None`, 3 and "ab".
    falls_back(Shifting {
        a: None,
        b: 0,
        c: "\u{2}ab".into(),
    });
}

#[cfg(feature = "bincode")]
#[test]
fn nested_options_stay_as_they_are_in_bincode() {
    let value = vec![None, Some(None), Some(Some(1_u8))];
    assert!(entry(&Format::Bincode, &value).1.fell_back.is_none());
    assert_eq!(reread(Format::Bincode, &value), Some(value));
}

#[test]
fn nested_options_are_refused_where_they_would_change() {
    for format in [Format::Msgpack, Format::Json] {
        let error = encode_checked(&format, &Some(None::<u8>)).unwrap_err();
        assert_eq!(format!("{error:?}"), "CodecError(NestedNone)");
        assert!(encode_checked(&format, &Some(Some(1_u8))).is_ok());
    }
    let both = (serde_json::json!(1), Some(None::<u8>));
    assert!(encode_checked(&Format::default(), &both).is_err());
}

#[test]
fn values_that_would_come_back_as_others_are_refused() {
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Width {
        Narrow(u8),
        Wide(u64),
    }
    #[derive(Serialize, Deserialize)]
    struct Forgetful {
        #[serde(skip_deserializing)]
        seen: u8,
    }
    assert!(encode_checked(&Json, &Width::Narrow(5)).is_ok());
    assert!(encode_checked(&Json, &Width::Wide(5)).is_err());
    assert!(encode_checked(&Msgpack, &Forgetful { seen: 1 }).is_err());
    assert!(
        encode_checked(&Json, &Some(f64::NAN))
            .unwrap()
            .fell_back
            .is_some()
    );
}
