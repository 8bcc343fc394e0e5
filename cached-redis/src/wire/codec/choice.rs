//! Which codec a function uses: the one it names, or the cache's.

use super::{Codec, Format};

/// A codec, or the wish for the cache's own.
pub trait Choice: Copy {
    /// What it comes to.
    type Codec: Codec;
    /// The codec, given the cache's.
    fn choose(self, cache: Format) -> Self::Codec;
}

/// The codec that the cache was built with.
#[derive(Clone, Copy, Debug)]
pub struct FromCache;

impl Choice for FromCache {
    type Codec = Format;

    fn choose(self, cache: Format) -> Format {
        cache
    }
}

impl<C: Codec> Choice for C {
    type Codec = C;

    fn choose(self, _: Format) -> C {
        self
    }
}
