//! Any bytes as what a server sends: replies end where they end wherever the bytes are cut, both readers of
//! them agree, and a length that is only claimed makes no room.

use bytes::{Bytes, BytesMut};

use crate::meter::allocated;
use crate::wire::resp::{Answers, Ends, Reply};

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
    for asked in [Asked::Any, Asked::One, Asked::Some(1), Asked::Some(3)] {
        let (answers, bytes) = allocated(|| answers(data, data.len(), asked));
        assert!(bytes <= 12 * data.len() + 4000, "{bytes} bytes");
        for size in [1, 2, 3, 7] {
            assert_eq!(
                self::answers(data, size, asked),
                answers,
                "in pieces of {size}"
            );
        }
        if let Some((_, _, end)) = answers {
            assert_eq!(whole.0.first(), Some(&end));
        }
    }
}

/// What a command may have as an answer.
#[derive(Clone, Copy)]
enum Asked {
    Any,
    One,
    Some(usize),
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

/// The first reply: how it ended, the answers, and where.
fn answers(data: &[u8], size: usize, asked: Asked) -> Option<(Reply, Vec<Option<Bytes>>, usize)> {
    let (mut answers, mut received, mut at) = (Answers::default(), BytesMut::new(), 0);
    for piece in data.chunks(size.max(1)) {
        received.extend_from_slice(piece);
        at += piece.len();
        let reply = match asked {
            Asked::Any => answers.take_any(&mut received),
            Asked::One => answers.take(&mut received, None),
            Asked::Some(count) => answers.take(&mut received, Some(count)),
        };
        if let Some(reply) = reply.ok()? {
            return Some((reply, answers.strings, at - received.len()));
        }
    }
    None
}
