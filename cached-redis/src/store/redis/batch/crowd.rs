//! What was seen lately of those who wait: how many are about, how large their answers are, and how these come.

use bytes::Bytes;

/// How many readers are worth a batch at least, and by how many less than half of those about is
/// enough. Both were measured.
pub(super) const FEW: usize = 4;

/// How many are, where the server answers all batches at once and more than `MANY + FEW` are about: of fewer, what
/// is left would be too small a batch for both sides to work at the same time, if the server then could.
pub(super) const MANY: usize = 2 * FEW;

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

    /// How many of them are not to wait for more.
    pub(super) fn enough(&self, pace: &Pace) -> usize {
        let half = self.size() / 2;
        match pace.is_at_once() && self.size() > MANY + FEW {
            true => half.max(MANY),
            false => half.saturating_sub(FEW).max(FEW),
        }
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

    pub(super) fn seen(&mut self, answers: &[Option<Bytes>]) {
        if !answers.is_empty() {
            let bytes: usize = answers.iter().flatten().map(Bytes::len).sum();
            let sum = self
                .0
                .saturating_mul(3)
                .saturating_add(bytes / answers.len());
            self.0 = sum.div_ceil(4);
        }
    }
}

/// Whether the server answers all batches that it has at once, which is seen where there are several.
///
/// One with a processor of its own answers the first while the others are still on their way. One that shares
/// ours has answered all before we go on.
#[derive(Default)]
pub(super) struct Pace {
    /// The share of such times, in 65,536ths, and how many there were.
    at_once: u32,
    times: u32,
}

impl Pace {
    const ALL: u32 = 1 << 16;

    /// `left`: some have no answer yet.
    pub(super) fn seen(&mut self, left: bool) {
        self.at_once -= self.at_once / 128;
        if !left {
            self.at_once += Self::ALL / 128;
        }
        self.times += 1;
        // With fewer batches there is less to see: so what was seen is forgotten now and then.
        if self.times == 1 << 14 {
            *self = Self::default();
        }
    }

    /// The share was measured: 0.7 on one processor, and 0.5 or less on two.
    pub(super) fn is_at_once(&self) -> bool {
        self.at_once > Self::ALL / 8 * 5
    }
}
