//! The checks of codecs, through whole entries.

mod changed_types;
mod odd_bytes;
mod unreadable_types;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serializer};

use super::*;
use crate::wire::codec::{self, Format, Json, Msgpack};
use crate::wire::entry::{Header, Kind, Token};

/// Without a look at whether the two are equal.
fn encode_checked<T>(codec: &impl Codec, value: &T) -> Result<Encoded, CodecError>
where
    T: Serialize + DeserializeOwned,
{
    let (codec, equal) = (*codec, None);
    let value = Checked {
        codec,
        value,
        equal,
    };
    value.sample().encode()
}

/// What a type of exactly this shape reads.
fn decode_checked<T>(codec: &impl Codec, header: &Header, payload: &[u8]) -> Option<T>
where
    T: Serialize + DeserializeOwned,
{
    codec::decode_checked(*codec, header, payload, false)
}

fn entry<C: Codec, T: Serialize + DeserializeOwned>(codec: &C, value: &T) -> (Header, Encoded) {
    let encoded = encode_checked(codec, value).unwrap();
    let header = Header {
        codec: encoded.codec,
        fingerprint: encoded.fingerprint,
        ..Header::new(Kind::Value, Token::next())
    };
    (header, encoded)
}

/// What is read as a `B` where an `A` was stored.
fn reread<A, B>(codec: impl Codec, value: &A) -> Option<B>
where
    A: Serialize + DeserializeOwned,
    B: Serialize + DeserializeOwned,
{
    let (header, encoded) = entry(&codec, value);
    decode_checked(&codec, &header, &encoded.payload)
}

#[test]
fn ordinary_values_come_back_the_same_in_every_format() {
    type Value = (
        HashSet<String>,
        HashMap<u32, Vec<(f64, f32)>>,
        Option<char>,
        i128,
        Result<u8, ()>,
    );
    let value: Value = (
        (0..50).map(|n| n.to_string()).collect(),
        (1..50)
            .map(|n| (n, vec![(0.1 * f64::from(n), 0.1 / n as f32)]))
            .collect(),
        Some('é'),
        -5,
        Ok(1),
    );
    for format in [Format::default(), Format::Msgpack, Format::Json] {
        let (_, encoded) = entry(&format, &value);
        assert!(
            encoded.fell_back.is_none(),
            "{format:?}: {:?}",
            encoded.fell_back
        );
        assert_eq!(reread(format, &value), Some(value.clone()));
    }
}

#[test]
fn a_serialize_that_fails_is_an_error_that_does_not_quote_it() {
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("secret"))
        }
    }
    impl<'de> Deserialize<'de> for Broken {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Self)
        }
    }
    let error = encode_checked(&Format::default(), &Broken).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"));
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn codecs_of_others_may_compress() {
    /// Writes nothing but the number of zeros.
    #[derive(Clone, Copy)]
    struct Zeros;
    impl Codec for Zeros {
        fn id(&self) -> u8 {
            128
        }
        fn encode<T: Serialize + ?Sized>(
            &self,
            value: &T,
            out: &mut Vec<u8>,
        ) -> Result<(), CodecError> {
            let mut json = Vec::new();
            Json.encode(value, &mut json)?;
            out.push(u8::try_from(json.len() / 2).map_err(CodecError::new)?);
            Ok(())
        }
        fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError> {
            let zeros = vec![0_u8; usize::from(bytes[0])];
            let zeros =
                serde::de::value::SeqDeserializer::<_, serde_json::Error>::new(zeros.into_iter());
            T::deserialize(zeros).map_err(CodecError::new)
        }
    }
    let (header, encoded) = entry(&Zeros, &vec![0_u8; 100]);
    assert_eq!((header.codec, encoded.payload.len()), (128, 1));
    assert_eq!(
        decode_checked(&Zeros, &header, &encoded.payload),
        Some(vec![0_u8; 100])
    );
}
