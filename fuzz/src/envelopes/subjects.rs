//! The types whose entries are written and read, and what is expected of every reading.

use std::collections::{BTreeMap, HashMap, HashSet};

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::meter::allocated;
use crate::wire::codec::{Checked, Codec, Encoded, Format, decode_checked};
use crate::wire::digest::DEEPEST;
use crate::wire::entry::{Header, Kind, Token};
use crate::wire::fingerprint::{Fingerprinted, within};

#[derive(Arbitrary, Serialize, Deserialize)]
struct Order {
    id: u64,
    lines: Vec<(String, u32)>,
    notes: Option<String>,
    by_day: BTreeMap<u16, f64>,
    state: State,
}

/// An `Order` but for two names that changed places.
#[derive(Arbitrary, Serialize, Deserialize)]
#[serde(rename = "Order")]
struct Reordered {
    id: u64,
    lines: Vec<(String, u32)>,
    state: Option<String>,
    by_day: BTreeMap<u16, f64>,
    notes: State,
}

#[derive(Arbitrary, Serialize, Deserialize)]
enum State {
    Open,
    Paid { at: i64, by: Box<Option<Order>> },
    Split(Vec<Order>),
    Marked(u8, char),
}

#[derive(Arbitrary, Serialize, Deserialize)]
struct Cube(Vec<Vec<Vec<u64>>>);

#[derive(Arbitrary, Serialize, Deserialize)]
struct Odd {
    floats: HashMap<String, f32>,
    numbers: HashSet<i128>,
    nested: Option<Option<u8>>,
    units: Vec<()>,
    outcome: std::result::Result<[bool; 3], ()>,
}

/// As deep as the bytes say.
#[derive(Arbitrary, Serialize, Deserialize)]
enum Tree {
    Leaf,
    One(Box<Tree>),
    Many(Vec<Tree>),
}

/// Nothing in the bytes, much in memory.
#[derive(Arbitrary, Serialize, Deserialize)]
struct Hollow {
    #[serde(skip)]
    #[expect(dead_code, reason = "only has to have a size")]
    cells: [u64; 16],
}

#[derive(Arbitrary, Serialize, Deserialize)]
struct Hive(Vec<Vec<Hollow>>);

#[derive(Arbitrary, Serialize, Deserialize)]
#[serde(untagged)]
enum Loose {
    Number(i64),
    Text(String),
    List(Vec<Loose>),
    Table(BTreeMap<String, Loose>),
}

#[derive(Arbitrary, Serialize, Deserialize)]
struct Flat {
    id: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, Loose>,
}

/// A type, seen through its entries.
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// The entry of some value; nothing if no format can keep it.
    pub(super) write: fn(&mut Unstructured<'_>, Format) -> Result<Option<Bytes>>,
    /// Whether there is a value in the entry.
    pub(super) read: fn(&[u8], Format) -> bool,
    /// The entry of this payload with a header that fits.
    pub(super) forge: fn(&[u8], Format) -> Bytes,
}

pub(super) const SUBJECTS: [Subject; 8] = [
    plain::<Order>("Order"),
    plain::<Reordered>("Reordered"),
    plain::<Cube>("Cube"),
    plain::<Odd>("Odd"),
    plain::<Tree>("Tree"),
    plain::<Hive>("Hive"),
    buffered::<Loose>("Loose"),
    buffered::<Flat>("Flat"),
];

const fn plain<T>(name: &'static str) -> Subject
where
    T: for<'a> Arbitrary<'a> + Serialize + DeserializeOwned,
{
    Subject {
        name,
        write: write::<T>,
        read: read::<T, PLAIN>,
        forge: forge::<T>,
    }
}

const fn buffered<T>(name: &'static str) -> Subject
where
    T: for<'a> Arbitrary<'a> + Serialize + DeserializeOwned,
{
    Subject {
        read: read::<T, BUFFERED>,
        ..plain::<T>(name)
    }
}

fn write<T>(plan: &mut Unstructured<'_>, format: Format) -> Result<Option<Bytes>>
where
    T: for<'a> Arbitrary<'a> + Serialize + DeserializeOwned,
{
    let value: T = plan.arbitrary()?;
    let encoded = unequalled(format, &value).sample().encode();
    Ok(encoded.ok().as_ref().map(entry))
}

fn entry(encoded: &Encoded) -> Bytes {
    let header = Header {
        codec: encoded.codec,
        fingerprint: encoded.fingerprint,
        ..Header::new(Kind::Value, Token([7; 16]))
    };
    header.extended(&[], &encoded.payload)
}

/// Messages of errors are allocated as well.
const SPARE: usize = 8 * 1024;

/// How much may be allocated for every byte: the largest of the types above, twice, since
/// collections grow.
const PLAIN: usize = 256;

/// The same where serde keeps the bytes for a second look, once more at every level of nesting.
const BUFFERED: usize = 2 * 32 * DEEPEST as usize;

fn read<T: Serialize + DeserializeOwned, const PER_BYTE: usize>(
    entry: &[u8],
    format: Format,
) -> bool {
    let (value, bytes) = allocated(|| {
        let (header, payload) = Header::parse(entry)?;
        decode_checked::<_, T>(format, &header, payload, false)
    });
    let most = SPARE + PER_BYTE * entry.len();
    assert!(bytes <= most, "{bytes} bytes for {}", entry.len());
    if let Some(value) = &value {
        assert_legal(value, format);
        assert_whole::<T>(entry, format);
    }
    value.is_some()
}

/// No value is the beginning of another one's bytes.
fn assert_whole<T: Serialize + DeserializeOwned>(entry: &[u8], format: Format) {
    let longer = [entry, &[0]].concat();
    let (header, payload) = Header::parse(&longer).expect("the same header");
    let read = decode_checked::<_, T>(format, &header, payload, true);
    assert!(read.is_none(), "bytes are left over");
}

/// A value that was read can be written, and is read again.
fn assert_legal<T: Serialize + DeserializeOwned>(value: &T, format: Format) {
    let encoded = unequalled(format, value)
        .sample()
        .encode()
        .expect("what was read can be written");
    let entry = entry(&encoded);
    let (header, payload) = Header::parse(&entry).expect("what was written is an entry");
    let again = decode_checked::<_, T>(format, &header, payload, false);
    assert!(again.is_some(), "what was written can be read");
}

fn forge<T: Serialize + DeserializeOwned>(payload: &[u8], format: Format) -> Bytes {
    let read = within(payload.len(), || format.decode::<Fingerprinted<T>>(payload));
    let fingerprint = read
        .ok()
        .and_then(|read| read.seen.fingerprint(&read.value?))
        .unwrap_or(0);
    entry(&Encoded {
        payload: payload.to_vec(),
        codec: format.id(),
        fingerprint,
        fell_back: None,
    })
}

/// A value whose type says nothing of how it is compared.
fn unequalled<T>(codec: Format, value: &T) -> Checked<'_, Format, T> {
    Checked {
        codec,
        value,
        equal: None,
    }
}
