//! How often which size came, in fixed buckets.
//!
//! The buckets are the same in every process and release, so that what several tell can be added up. To
//! record one is two additions.

use std::fmt;
use std::ops::{Add, AddAssign};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// How many buckets there are at most, with the one that has no bound.
const MOST: usize = 16;

/// What is measured: the upper bounds of all buckets but the last, in whole parts of the unit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    /// How many parts the unit has.
    parts: u32,
    bounds: &'static [u64],
}

/// Times of loads, in microseconds: half a millisecond to half a minute.
pub(crate) static LOADS: Scale = Scale {
    parts: 1_000_000,
    bounds: &[
        500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
        2_500_000, 5_000_000, 10_000_000, 30_000_000,
    ],
};

/// Times of round trips, in microseconds: 50 µs to a quarter of a second.
pub(crate) static ROUND_TRIPS: Scale = Scale {
    parts: 1_000_000,
    bounds: &[
        50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
    ],
};

/// Sizes in bytes: 64 to 4 Mi.
pub(crate) static BYTES: Scale = Scale {
    parts: 1,
    bounds: &[
        1 << 6,
        1 << 8,
        1 << 10,
        1 << 12,
        1 << 14,
        1 << 16,
        1 << 18,
        1 << 20,
        1 << 22,
    ],
};

/// How often times or sizes came, in fixed buckets, since the cache was built.
///
/// Times are in seconds and sizes in bytes, as the field says that has it. It serializes with `count`, `sum`,
/// `p50`, `p95`, `p99`, and the `buckets`, of which the last has no bound.
///
/// ```
/// # use cached_redis::Cache;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// let cache = Cache::builder().url("memory://").build().await?;
/// let loads = cache.stats().total().load_times;
/// if let Some(slow) = loads.quantile(0.99) {
///     println!("99 of {} loads took less than {slow:.3} s each", loads.count());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Histogram {
    scale: &'static Scale,
    counts: [u64; MOST],
    /// In parts of the unit.
    sum: u64,
}

impl Histogram {
    pub(crate) const fn empty(scale: &'static Scale) -> Self {
        Self {
            scale,
            counts: [0; MOST],
            sum: 0,
        }
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together, in seconds or bytes.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.scale.units(self.sum)
    }

    /// Their mean; `None` when there were none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum() / count as f64)
    }

    /// What that share of them was no larger than, as far as the buckets tell: `0.99` gives the 99th percentile.
    /// Inside of its bucket it is interpolated, and in the last one it is the greatest bound, as Prometheus does
    /// it. `None` when there were none, or where `share` is not from 0 to 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 || !(0.0..=1.0).contains(&share) {
            return None;
        }
        let rank = share * count as f64;
        let (mut below, mut lower) = (0.0, 0.0);
        for (bound, so_many) in self.scale.bounds.iter().zip(self.counts) {
            let (upper, inside) = (self.scale.units(*bound), so_many as f64);
            if inside > 0.0 && below + inside >= rank {
                return Some(lower + (upper - lower) * (rank - below) / inside);
            }
            (below, lower) = (below + inside, upper);
        }
        Some(lower)
    }

    /// The upper bound of each bucket, and how many were no larger than that. The last bound is infinite.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.scale.bounds.iter();
        let bounds = bounds.map(|bound| self.scale.units(*bound));
        let counts = self.counts.iter().scan(0, |so_far, count| {
            *so_far += count;
            Some(*so_far)
        });
        bounds.chain([f64::INFINITY]).zip(counts)
    }
}

impl Scale {
    fn units(&self, parts: u64) -> f64 {
        parts as f64 / f64::from(self.parts)
    }

    fn bucket(&self, size: u64) -> usize {
        self.bounds.partition_point(|bound| *bound < size)
    }
}

impl Add for Histogram {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += &other;
        self
    }
}

impl AddAssign<&Self> for Histogram {
    fn add_assign(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} together", self.count(), self.sum())
    }
}

#[derive(Serialize)]
struct Bucket {
    /// The last one has none: JSON knows no infinity.
    le: Option<f64>,
    count: u64,
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bucket = |(le, count): (f64, u64)| Bucket {
            le: le.is_finite().then_some(le),
            count,
        };
        let buckets: Vec<_> = self.buckets().map(bucket).collect();
        let mut fields = serializer.serialize_struct("Histogram", 6)?;
        fields.serialize_field("count", &self.count())?;
        fields.serialize_field("sum", &self.sum())?;
        fields.serialize_field("p50", &self.quantile(0.5))?;
        fields.serialize_field("p95", &self.quantile(0.95))?;
        fields.serialize_field("p99", &self.quantile(0.99))?;
        fields.serialize_field("buckets", &buckets)?;
        fields.end()
    }
}

/// One that is added to.
pub(crate) struct Buckets {
    scale: &'static Scale,
    counts: [AtomicU64; MOST],
    sum: AtomicU64,
}

impl Buckets {
    pub(crate) fn of(scale: &'static Scale) -> Self {
        Self {
            scale,
            counts: [const { AtomicU64::new(0) }; MOST],
            sum: AtomicU64::new(0),
        }
    }

    /// One of this size, in parts of the unit.
    pub(crate) fn record(&self, size: u64) {
        self.counts[self.scale.bucket(size)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(size, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Histogram {
        Histogram {
            scale: self.scale,
            counts: std::array::from_fn(|at| self.counts[at].load(Ordering::Relaxed)),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sizes: &[u64]) -> Histogram {
        let buckets = Buckets::of(&BYTES);
        sizes.iter().for_each(|size| buckets.record(*size));
        buckets.snapshot()
    }

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_above_all_to_the_last() {
        let sizes = of(&[0, 64, 65, 256, 1 << 22, (1 << 22) + 1, u64::from(u32::MAX)]);
        let buckets: Vec<_> = sizes.buckets().collect();
        assert_eq!(buckets[..2], [(64.0, 2), (256.0, 4)]);
        assert_eq!(buckets[8..], [(4_194_304.0, 5), (f64::INFINITY, 7)]);
        assert_eq!(sizes.count(), 7);
    }

    #[test]
    fn quantiles_lie_in_their_bucket() {
        assert_eq!(of(&[]).quantile(0.5), None);
        let even = of(&[10, 20, 100, 200]);
        assert_eq!(even.quantile(0.5), Some(64.0));
        assert_eq!(even.quantile(0.75), Some(160.0));
        assert_eq!(even.quantile(1.5), None);
        assert_eq!(even.quantile(f64::NAN), None);
        // The last bucket has no end.
        assert_eq!(of(&[1 << 30]).quantile(0.99), Some(4_194_304.0));
    }

    #[test]
    fn times_are_told_in_seconds() {
        let loads = Buckets::of(&LOADS);
        loads.record(1_500_000);
        loads.record(500_000);
        let loads = loads.snapshot();
        assert_eq!((loads.sum(), loads.mean()), (2.0, Some(1.0)));
        assert_eq!((loads + loads).count(), 4);
        assert_eq!(format!("{loads:?}"), "2 of 2 together");
    }

    #[test]
    fn the_scales_have_room_and_are_in_order() {
        for scale in [&LOADS, &ROUND_TRIPS, &BYTES] {
            assert!(scale.bounds.len() < MOST && scale.bounds.is_sorted());
        }
    }
}
