//! Any bytes as a compressed value: what is unpacked is no more than is allowed, and what was packed; and a length
//! that is only claimed makes no room.

use arbitrary::{Result, Unstructured};

use crate::meter::allocated;
use crate::wire::packing::{pack, unpack, unpacked_length};

const MOST: u64 = 1 << 20;

/// What the packer's frame begins with.
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Takes the bytes as a plan.
///
/// # Panics
///
/// Where a promise is broken.
pub fn check(data: &[u8]) {
    // Too few bytes are no plan, and nothing to test.
    let _ = follow(&mut Unstructured::new(data));
}

fn follow(plan: &mut Unstructured<'_>) -> Result<()> {
    let way: u8 = plan.arbitrary()?;
    if way.is_multiple_of(4) {
        let bytes = plan.bytes(plan.len())?;
        read(bytes);
        read(&[&MAGIC, bytes].concat());
        return Ok(());
    }
    let (at, change, repeats): (u16, u8, u8) = plan.arbitrary()?;
    let value = plan.bytes(plan.len())?.repeat(repeats.into());
    let Some(mut packed) = pack(&value) else {
        return Ok(());
    };
    assert_eq!(unpack(&packed, MOST).as_deref(), Ok(&*value));
    let at = usize::from(at) % packed.len();
    match way % 4 {
        1 => packed.truncate(at),
        2 => packed.insert(at, change),
        _ => packed[at] ^= change,
    }
    if let Some(unpacked) = read(&packed) {
        assert_eq!(unpacked, value, "what was changed is the value or nothing");
    }
    Ok(())
}

/// What is unpacked, within what it may take.
fn read(packed: &[u8]) -> Option<Vec<u8>> {
    let (unpacked, bytes) = allocated(|| unpack(packed, MOST).ok());
    let length = unpacked_length(packed).filter(|length| *length <= MOST);
    let length = length.unwrap_or(0) as usize;
    assert!(bytes <= length + 1024, "{bytes} bytes for {length}");
    let is_whole = |unpacked: &Vec<u8>| unpacked.len() == length;
    assert!(unpacked.as_ref().is_none_or(is_whole));
    unpacked
}
