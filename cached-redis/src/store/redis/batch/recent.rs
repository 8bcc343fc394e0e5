//! What reads were like lately.

/// How many readers wait at once, in sixteenths: the most that were seen, less a sixteenth for every
/// batch since.
#[derive(Default)]
pub(super) struct Crowd(usize);

impl Crowd {
    pub(super) fn seen(&mut self, waiting: usize) {
        self.0 = (16 * waiting).max(self.0 - self.0.div_ceil(16));
    }

    pub(super) fn size(&self) -> usize {
        self.0 / 16
    }

    /// Whether the next read can be expected to be the only one.
    pub(super) fn is_one(&self) -> bool {
        self.0 <= 16
    }
}

/// How many bytes the answer to a key had lately, in the mean.
#[derive(Default)]
pub(super) struct Size(usize);

impl Size {
    pub(super) fn mean(&self) -> usize {
        self.0
    }

    pub(super) fn seen(&mut self, bytes: usize, keys: usize) {
        let sum = self.0.saturating_mul(3).saturating_add(bytes / keys.max(1));
        self.0 = sum.div_ceil(4);
    }
}
