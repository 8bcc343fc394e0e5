//! What can happen to an entry on its way, and what somebody could do to it.

use arbitrary::{Result, Unstructured};

use crate::wire::entry::HEADER;

/// Lengths as the formats write them, in every width.
const LENGTHS: [&[u8]; 12] = [
    &[251, 0xFF, 0xFF],
    &[252, 0, 0, 0, 0x20],
    &[253, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
    &[254; 17],
    &[0xDC, 0xFF, 0xFF],
    &[0xDD, 0x20, 0, 0, 0],
    &[0xDE, 0xFF, 0xFF],
    &[0xDF, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0xC6, 0x20, 0, 0, 0],
    &[0xDB, 0x20, 0, 0, 0],
    &[0x9F],
    &[250],
];

/// Changes some bytes. Three in four changes leave the header alone, since little that has another
/// one is looked at any further.
pub(super) fn mutate(bytes: &mut Vec<u8>, plan: &mut Unstructured<'_>) -> Result<()> {
    let start = if plan.ratio(3, 4)? { HEADER } else { 0 };
    for _ in 0..plan.int_in_range(1..=4)? {
        let at = plan.int_in_range(start.min(bytes.len())..=bytes.len())?;
        let to = plan.int_in_range(at..=bytes.len().min(at + 24))?;
        step(bytes, at, to, plan)?;
    }
    Ok(())
}

fn step(bytes: &mut Vec<u8>, at: usize, to: usize, plan: &mut Unstructured<'_>) -> Result<()> {
    let piece = bytes[at..to].to_vec();
    match plan.int_in_range(0..=7)? {
        0 => drop(bytes.drain(at..to)),
        1 => bytes.truncate(at),
        2 => insert(bytes, at, &piece),
        3 => {
            let elsewhere = plan.int_in_range(at..=bytes.len())?;
            insert(bytes, elsewhere, &piece);
        }
        4 => insert(bytes, at, plan.choose(&LENGTHS)?),
        5 => insert(bytes, at, plan.arbitrary()?),
        _ if at < bytes.len() => bytes[at] ^= 1 << plan.int_in_range(0..=7)?,
        _ => bytes.push(plan.arbitrary()?),
    }
    Ok(())
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied()).for_each(drop);
}
