//! Packing guards against what compressed bytes may claim and become: nothing is unpacked beyond a limit, no room
//! is made that a frame of its length cannot fill, and what does not come out as it went in is an error.
//!
//! A packed payload is one Zstandard frame (RFC 8878) that says how long its content is and has a checksum of it.

/// The content of a frame is in blocks of at least four bytes, each of which stands for 128 KiB at most.
#[cfg(feature = "zstd")]
const MOST_PER_BYTE: u64 = 32 << 10;

/// At least twice as fast as the default of 3, for a few percent in size.
#[cfg(feature = "zstd")]
const LEVEL: i32 = 1;

/// Why a packed payload cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unpackable {
    /// The feature `zstd` is off.
    #[cfg_attr(feature = "zstd", allow(dead_code, reason = "made without it"))]
    NotBuilt,
    /// It is not what was packed, or longer than is allowed.
    #[cfg_attr(
        not(feature = "zstd"),
        allow(dead_code, reason = "nothing is unpacked")
    )]
    Odd,
}

/// The payload in fewer bytes, if there are any.
#[cfg(feature = "zstd")]
pub(crate) fn pack(payload: &[u8]) -> Option<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).ok()?;
    compressor.include_checksum(true).ok()?;
    let packed = compressor.compress(payload).ok()?;
    (packed.len() < payload.len()).then_some(packed)
}

/// None: see [`Unpackable::NotBuilt`].
#[cfg(not(feature = "zstd"))]
pub(crate) fn pack(_: &[u8]) -> Option<Vec<u8>> {
    None
}

/// What was packed, if that is `most` bytes at most.
#[cfg(feature = "zstd")]
pub(crate) fn unpack(packed: &[u8], most: u64) -> Result<Vec<u8>, Unpackable> {
    use std::cell::RefCell;

    use zstd::bulk::Decompressor;

    thread_local! {
        // It is larger than most of what it unpacks.
        static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    }
    let length = unpacked_length(packed).filter(|length| *length <= most);
    let length = length.ok_or(Unpackable::Odd)? as usize;
    let unpacked = DECOMPRESSOR.with_borrow_mut(|decompressor| {
        let decompressor = match decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new().ok()?),
        };
        decompressor.decompress(packed, length).ok()
    });
    let whole = unpacked.filter(|unpacked| unpacked.len() == length);
    whole.ok_or(Unpackable::Odd)
}

/// See [`Unpackable::NotBuilt`].
#[cfg(not(feature = "zstd"))]
pub(crate) fn unpack(_: &[u8], _: u64) -> Result<Vec<u8>, Unpackable> {
    Err(Unpackable::NotBuilt)
}

/// How long it is unpacked, as far as it is one frame that can be as long as it says.
#[cfg(feature = "zstd")]
pub(crate) fn unpacked_length(packed: &[u8]) -> Option<u64> {
    use zstd::zstd_safe::{find_frame_compressed_size, get_frame_content_size};

    let length = get_frame_content_size(packed).ok()??;
    let fits = length <= (packed.len() as u64).saturating_mul(MOST_PER_BYTE);
    let is_one = find_frame_compressed_size(packed) == Ok(packed.len());
    (fits && is_one).then_some(length)
}

/// Not known: see [`Unpackable::NotBuilt`].
#[cfg(not(feature = "zstd"))]
pub(crate) fn unpacked_length(_: &[u8]) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests;
