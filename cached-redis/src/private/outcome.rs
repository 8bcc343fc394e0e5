//! What a writer returned, found by the type itself: see [`shape`](super::shape) for how.
//!
//! The methods of probes have names that no trait of a user's has: a blanket one would be found, too.

/// Asks what a function returned.
#[derive(Debug)]
pub struct Probe<'a, R>(pub &'a R);

/// Finds a `Result`.
pub trait ByResult<'a, T> {
    /// Its `Ok` value.
    fn __cached_redis_ok(&self) -> Option<&'a T>;
}

impl<'a, T, E> ByResult<'a, T> for Probe<'a, Result<T, E>> {
    fn __cached_redis_ok(&self) -> Option<&'a T> {
        self.0.as_ref().ok()
    }
}

/// Finds anything else.
pub trait ByAny<'a, T> {
    /// The value, which cannot be a failure.
    fn __cached_redis_ok(&self) -> Option<&'a T>;
}

impl<'a, T> ByAny<'a, T> for &Probe<'a, T> {
    fn __cached_redis_ok(&self) -> Option<&'a T> {
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_borrow, reason = "the references choose")]
    #[test]
    fn only_an_err_is_a_failure() {
        assert_eq!((&Probe(&Ok::<u8, u8>(1))).__cached_redis_ok(), Some(&1));
        assert_eq!((&Probe(&Err::<u8, u8>(1))).__cached_redis_ok(), None);
        assert_eq!((&Probe(&None::<u8>)).__cached_redis_ok(), Some(&None));
    }
}
