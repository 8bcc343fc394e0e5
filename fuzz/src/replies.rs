//! Any bytes as what a server sends: replies end where they end wherever the bytes are cut, both readers of
//! them agree, and a length that is only claimed makes no room.

use bytes::BytesMut;

use crate::meter::allocated;
use crate::wire::resp::{Ends, Reply, take};

/// Takes the bytes as replies.
///
/// # Panics
///
/// Where a promise is broken.
pub fn check(data: &[u8]) {
    let whole = ends(data, data.len().max(1));
    for size in [1, 2, 3, 7] {
        assert_eq!(ends(data, size), whole, "in pieces of {size}");
    }
    let mut rest = BytesMut::from(data);
    let (first, bytes) = allocated(|| take(&mut rest));
    assert!(bytes <= 4 * data.len() + 1000, "{bytes} bytes");
    let first = match first {
        Ok(Some(Reply::Array(_))) | Ok(None) | Err(_) => return,
        Ok(Some(_)) => data.len() - rest.len(),
    };
    assert_eq!(whole.0.first(), Some(&first));
    while let Ok(Some(_)) = take(&mut rest) {}
}

/// Where values end, and whether all of it can be one.
fn ends(data: &[u8], size: usize) -> (Vec<usize>, bool) {
    let (mut ends, mut found, mut at) = (Ends::default(), Vec::new(), 0);
    for mut piece in data.chunks(size) {
        while !piece.is_empty() {
            let Ok((length, ended)) = ends.find(piece) else {
                return (found, false);
            };
            (piece, at) = (&piece[length..], at + length);
            found.extend(ended.map(|_| at));
        }
    }
    (found, true)
}
