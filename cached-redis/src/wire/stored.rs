//! How a type is stored where no reader's codec is known: what is pending, and the arguments of its call.
//!
//! Made in one place of an expansion, so that a type that cannot be stored is one error there, and none wherever it is
//! stored or read.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{Checked, Msgpack, decode_checked};
use super::entry::Header;

/// A value that waits in a queue. The name is for the compiler's message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored until the write is applied: it, or a type in it, is no serde type",
    label = "this type has to be stored and read back",
    note = "help: derive `serde::Serialize` and `serde::Deserialize` for it and for what is inside, without borrowed \
            fields; or take it as `&{Self}`: the worker provides it then"
)]
pub trait Storable: Serialize + DeserializeOwned {}

// Else there would be an error for each of the two.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Storable for T {}

/// See the module.
#[derive(Debug)]
pub struct Stored<T> {
    encode: fn(Header, &T) -> Option<Bytes>,
    decode: fn(&[u8]) -> Option<T>,
}

impl<T: Serialize + DeserializeOwned> Stored<T> {
    /// That of `T`.
    #[must_use]
    pub const fn of() -> Self {
        Self {
            encode,
            decode: |stored| {
                let (header, payload) = Header::parse(stored)?;
                decode_checked(Msgpack, &header, payload, false)
            },
        }
    }
}

impl<T> Stored<T> {
    pub(crate) fn encode(&self, header: Header, value: &T) -> Option<Bytes> {
        (self.encode)(header, value)
    }

    /// `None` if it was of another type when it was stored.
    pub(crate) fn decode(&self, stored: &[u8]) -> Option<T> {
        (self.decode)(stored)
    }
}

/// In the codec that every reader knows, whatever its own is.
fn encode<T: Serialize + DeserializeOwned>(header: Header, value: &T) -> Option<Bytes> {
    let value = Checked {
        codec: Msgpack,
        value,
        equal: None,
    };
    let encoded = value.sample().encode().ok()?;
    let header = Header {
        codec: encoded.codec,
        fingerprint: encoded.fingerprint,
        ..header
    };
    Some(header.extended(&[], &encoded.payload))
}
