//! What a writer returned, found by the type itself: see [`shape`](crate::shape) for how.

/// Asks what a function returned.
#[derive(Debug)]
pub struct Probe<'a, R>(pub &'a R);

/// Finds a `Result`.
pub trait ByResult<'a, T> {
    /// Its `Ok` value.
    fn ok(&self) -> Option<&'a T>;
}

impl<'a, T, E> ByResult<'a, T> for Probe<'a, Result<T, E>> {
    fn ok(&self) -> Option<&'a T> {
        self.0.as_ref().ok()
    }
}

/// Finds anything else.
pub trait ByAny<'a, T> {
    /// The value, which cannot be a failure.
    fn ok(&self) -> Option<&'a T>;
}

impl<'a, T> ByAny<'a, T> for &Probe<'a, T> {
    fn ok(&self) -> Option<&'a T> {
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_borrow, reason = "the references choose")]
    #[test]
    fn only_an_err_is_a_failure() {
        assert_eq!((&Probe(&Ok::<u8, u8>(1))).ok(), Some(&1));
        assert_eq!((&Probe(&Err::<u8, u8>(1))).ok(), None);
        assert_eq!((&Probe(&None::<u8>)).ok(), Some(&None));
    }
}
