//! The envelope guards a reader against bytes that are not an entry of this layout: whatever is
//! odd about a header makes the whole a miss, never an error and never a value.
//!
//! One Redis string: 48 bytes of header, little endian, then extensions, then the encoded value.

use std::any::Any;
use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::wire::extension::{self, Extensions};
use crate::wire::packing::{self, Unpackable};

/// First byte of every entry.
pub(crate) const MAGIC: u8 = 0xCA;

/// Length of a header. Every entry is at least as long.
pub(crate) const HEADER: usize = 48;

const LAYOUT: u8 = 1;

/// The version of one entry, and the right to replace it: new for every lease and every value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token(pub(crate) [u8; 16]);

impl Token {
    /// A token that no process has used before.
    pub(crate) fn next() -> Self {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // std seeds the keys of its hasher from the system's random numbers.
        let process = PROCESS.get_or_init(|| RandomState::new().hash_one(std::process::id()));
        Self::of(*process, COUNT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The token as one number.
    pub(crate) fn number(&self) -> u128 {
        u128::from_le_bytes(self.0)
    }

    fn of(process: u64, count: u64) -> Self {
        let mut token = [0; 16];
        token[..8].copy_from_slice(&process.to_le_bytes());
        token[8..].copy_from_slice(&count.to_le_bytes());
        Self(token)
    }
}

/// What stands at a key. The letters can be read in `redis-cli`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Value = b'V',
    /// A cached `None`: no payload.
    Negative = b'N',
    /// Somebody is loading: no payload.
    Lease = b'L',
    /// Nobody may fill.
    Tombstone = b'T',
    /// A value that is still to be written to the source. Nothing takes its place but the end of that.
    Pending = b'P',
}

impl Kind {
    fn parse(byte: u8) -> Option<Self> {
        Some(match byte {
            b'V' => Self::Value,
            b'N' => Self::Negative,
            b'L' => Self::Lease,
            b'T' => Self::Tombstone,
            b'P' => Self::Pending,
            _ => return None,
        })
    }

    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Negative => "negative",
            Self::Lease => "lease",
            Self::Tombstone => "tombstone",
            Self::Pending => "pending",
        }
    }
}

/// The first 48 bytes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// What the type looked like to serde.
    pub(crate) fingerprint: u32,
    pub(crate) token: Token,
    /// Epoch of the shard, 0 = unused.
    pub(crate) epoch: u32,
    /// How long the load took, in 0.1 ms.
    pub(crate) load_time: u32,
    /// When it was filled, ms since the Unix epoch on the store's clock.
    pub(crate) filled_at: u64,
    /// For how long it is fresh, in ms; 0 = as long as it lives.
    pub(crate) soft_ttl: u32,
    pub(crate) codec: u8,
    /// Length of the extensions.
    pub(crate) extensions: u16,
}

impl Header {
    /// A header with everything but these two left at zero.
    pub(crate) fn new(kind: Kind, token: Token) -> Self {
        Self {
            kind,
            flags: 0,
            fingerprint: 0,
            token,
            epoch: 0,
            load_time: 0,
            filled_at: 0,
            soft_ttl: 0,
            codec: 0,
            extensions: 0,
        }
    }

    /// Whether the entry is of a generation of its tags.
    pub(crate) fn is_tagged(&self) -> bool {
        self.flags & extension::TAGS != 0
    }

    /// Whether what it heads is still to be written to the source.
    pub(crate) fn is_pending(&self) -> bool {
        self.kind == Kind::Pending
    }

    /// Whether its payload is packed.
    pub(crate) fn is_packed(&self) -> bool {
        self.flags & extension::PACKED != 0
    }

    /// The header and the payload behind it, or nothing if this is no entry of this layout.
    pub(crate) fn parse(entry: &[u8]) -> Option<(Self, &[u8])> {
        let (_, rest) = entry.split_at_checked(HEADER)?;
        let parsed = Self::peek(entry)?;
        Some((parsed, parsed.payload(rest)?))
    }

    /// The header of an entry of which maybe no more was read.
    pub(crate) fn peek(entry: &[u8]) -> Option<Self> {
        let (header, _) = entry.split_first_chunk::<HEADER>()?;
        if header[0] != MAGIC || header[2] != LAYOUT || header[47] != 0 {
            return None;
        }
        Some(Self {
            kind: Kind::parse(header[1])?,
            flags: header[3],
            fingerprint: u32::from_le_bytes(field(header, 4)),
            token: Token(field(header, 8)),
            epoch: u32::from_le_bytes(field(header, 24)),
            load_time: u32::from_le_bytes(field(header, 28)),
            filled_at: u64::from_le_bytes(field(header, 32)),
            soft_ttl: u32::from_le_bytes(field(header, 40)),
            codec: header[46],
            extensions: u16::from_le_bytes(field(header, 44)),
        })
    }

    /// What follows header and extensions, if it is what this kind may have. A tombstone is obeyed
    /// whatever else it says, since not to fill is always right.
    fn payload<'a>(&self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let (extensions, payload) = rest.split_at_checked(self.extensions.into())?;
        let plain = self.flags == 0 && extensions.is_empty();
        let sound = match self.kind {
            Kind::Value | Kind::Negative => {
                plain || Extensions::parse(self.flags, extensions).is_some()
            }
            Kind::Lease | Kind::Pending => plain,
            Kind::Tombstone => true,
        };
        let has_value = matches!(self.kind, Kind::Value | Kind::Pending);
        (sound && (has_value || payload.is_empty())).then_some(payload)
    }

    /// The bytes of a lease.
    pub(crate) fn lease(token: Token) -> [u8; HEADER] {
        Self::new(Kind::Lease, token).bytes()
    }

    /// The bytes of an entry with these extensions; `None` if they are too long.
    pub(crate) fn entry(mut self, extensions: &Extensions<'_>, payload: &[u8]) -> Option<Bytes> {
        self.flags = extensions.flags();
        Some(self.extended(&extensions.bytes()?, payload))
    }

    /// The bytes of an entry: this header, extensions that its flags announce, the payload.
    pub(crate) fn extended(mut self, extensions: &[u8], payload: &[u8]) -> Bytes {
        self.extensions = u16::try_from(extensions.len()).unwrap_or(u16::MAX);
        Bytes::from([&self.bytes(), extensions, payload].concat())
    }

    fn bytes(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[0] = MAGIC;
        header[1] = self.kind as u8;
        header[2] = LAYOUT;
        header[3] = self.flags;
        header[4..8].copy_from_slice(&self.fingerprint.to_le_bytes());
        header[8..24].copy_from_slice(self.token.as_bytes());
        header[24..28].copy_from_slice(&self.epoch.to_le_bytes());
        header[28..32].copy_from_slice(&self.load_time.to_le_bytes());
        header[32..40].copy_from_slice(&self.filled_at.to_le_bytes());
        header[40..44].copy_from_slice(&self.soft_ttl.to_le_bytes());
        header[44..46].copy_from_slice(&self.extensions.to_le_bytes());
        header[46] = self.codec;
        header
    }
}

/// Whether `entry` is a value that is still to be written to the source.
pub(crate) fn is_pending(entry: &[u8]) -> bool {
    entry.get(..3) == Some(&[MAGIC, Kind::Pending as u8, LAYOUT])
}

/// The value of an entry, decoded by the first of those who share it.
pub(crate) type Decoded = OnceLock<Arc<dyn Any + Send + Sync>>;

/// An entry with a value or a known absence in it.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) header: Header,
    pub(crate) entry: Bytes,
    /// Of one that is kept in this process.
    pub(crate) decoded: Option<Arc<Decoded>>,
}

impl Live {
    pub(crate) fn new(header: Header, entry: Bytes) -> Self {
        Self {
            header,
            entry,
            decoded: None,
        }
    }

    /// Header and extensions, which tell it from every other entry.
    pub(crate) fn head(&self) -> &[u8] {
        &self.entry[..HEADER + usize::from(self.header.extensions)]
    }

    /// Whether its value was decoded by somebody else.
    pub(crate) fn is_decoded(&self) -> bool {
        let decoded = self.decoded.as_ref();
        decoded.is_some_and(|decoded| decoded.get().is_some())
    }

    pub(crate) fn payload(&self) -> &[u8] {
        let at = HEADER + usize::from(self.header.extensions);
        self.entry.get(at..).unwrap_or_default()
    }

    /// The encoded value, if that is `most` bytes at most where it is packed.
    pub(crate) fn unpacked(&self, most: u64) -> Result<Cow<'_, [u8]>, Unpackable> {
        match self.header.is_packed() {
            true => packing::unpack(self.payload(), most).map(Cow::Owned),
            false => Ok(Cow::Borrowed(self.payload())),
        }
    }

    /// About how many bytes its value takes.
    pub(crate) fn value_bytes(&self) -> usize {
        let packed = self.header.is_packed().then(|| self.payload());
        let unpacked = packed.and_then(packing::unpacked_length);
        unpacked.map_or(self.entry.len(), |unpacked| unpacked as usize)
    }

    /// The version of the source that it was made of.
    pub(crate) fn version(&self) -> Option<u64> {
        extensions(&self.entry)?.version
    }

    /// Whether a reader of this origin may read it.
    #[inline]
    pub(crate) fn is_of(&self, origin: Option<u64>) -> bool {
        origin.is_none() || self.origin().is_none_or(|own| origin == Some(own))
    }

    /// What the function that made it was in, where its key does not say so.
    pub(crate) fn origin(&self) -> Option<u64> {
        extensions(&self.entry)?.origin
    }
}

/// The extensions of an entry that has a value or an absence in it, dead or alive.
pub(crate) fn extensions(entry: &[u8]) -> Option<Extensions<'_>> {
    let (header, _) = Header::parse(entry)?;
    if !matches!(header.kind, Kind::Value | Kind::Negative) {
        return None;
    }
    Extensions::parse(
        header.flags,
        entry[HEADER..].get(..header.extensions.into())?,
    )
}

fn field<const N: usize>(header: &[u8; HEADER], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&header[at..at + N]);
    field
}

#[cfg(test)]
mod golden;

#[cfg(test)]
mod tests;
