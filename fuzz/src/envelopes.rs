//! Any bytes as an entry: decoding must not panic, must not allocate much more than there are
//! bytes, and must not give a value that another type wrote, or one that no writer could have.

mod mutate;
mod subjects;

use arbitrary::{Result, Unstructured};

use self::subjects::{SUBJECTS, Subject};
use crate::wire::codec::Format;
use crate::wire::entry::{HEADER, Header, Kind, extensions};

const FORMATS: [Format; 3] = [Format::Bincode, Format::Msgpack, Format::Json];

/// Bytes of a plan that say what is changed.
const CHANGES: usize = 24;

/// Takes the bytes as a plan: a type, a format, and how the entry comes to be.
///
/// # Panics
///
/// Where decoding breaks a promise.
pub fn check(data: &[u8]) {
    // Too few bytes are no plan, and nothing to test.
    let _ = follow(&mut Unstructured::new(data));
}

fn follow(plan: &mut Unstructured<'_>) -> Result<()> {
    let way: u8 = plan.arbitrary()?;
    let subject = plan.choose(&SUBJECTS)?;
    let format = *plan.choose(&FORMATS)?;
    match way % 4 {
        0 => foreign(subject, format, plan),
        1 => forged(subject, format, plan),
        _ => return changed(subject, format, plan),
    }
    Ok(())
}

/// Bytes of somebody else.
fn foreign(subject: &Subject, format: Format, plan: &mut Unstructured<'_>) {
    let entry = plan.bytes(plan.len()).unwrap_or_default();
    comes_back(entry);
    (subject.read)(entry, format);
}

/// What is read as a header is written as the same one. A tombstone is more lenient on purpose.
fn comes_back(entry: &[u8]) {
    if let Some((header, payload)) = Header::parse(entry)
        && header.kind != Kind::Tombstone
    {
        let parts = extensions(entry).unwrap_or_default();
        assert_eq!(header.entry(&parts, payload).as_deref(), Some(entry));
    }
}

/// A payload by somebody who knows all that the header has to say.
fn forged(subject: &Subject, format: Format, plan: &mut Unstructured<'_>) {
    let payload = plan.bytes(plan.len()).unwrap_or_default();
    (subject.read)(&(subject.forge)(payload, format), format);
}

/// A sound entry and some changes; read as its own type, with and without a header that fits the
/// changes, and as another type.
fn changed(subject: &Subject, format: Format, plan: &mut Unstructured<'_>) -> Result<()> {
    let other = plan.choose(&SUBJECTS)?;
    // The value takes all it can get.
    let mut changes = Unstructured::new(plan.bytes(plan.len().min(CHANGES))?);
    let Some(entry) = (subject.write)(plan, format)? else {
        return Ok(());
    };
    assert!((subject.read)(&entry, format), "an entry as it was written");
    let mut bytes = entry.to_vec();
    mutate::mutate(&mut bytes, &mut changes)?;
    comes_back(&bytes);
    (subject.read)(&bytes, format);
    if let Some(payload) = bytes.get(HEADER..) {
        (subject.read)(&(subject.forge)(payload, format), format);
    }
    let read = (other.read)(&bytes, format);
    let bears_its_type = bytes.starts_with(&entry[..HEADER]);
    assert!(
        !(read && bears_its_type && other.name != subject.name),
        "{} was read as {}",
        subject.name,
        other.name
    );
    Ok(())
}
