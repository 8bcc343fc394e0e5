//! What an annotated function returns, found by the type itself and not by its name.
//!
//! Only `Ok` values are kept and a `None` is kept as "known to be absent". Which of these applies
//! is found by method probing: the expansion calls `.__cached_redis_shape()` on `&&&Probe<R>`, and the compiler
//! takes the first of the traits below, from the most references to the fewest, that fits. So
//! `type ApiResult<T> = Result<T, ApiError>` and `anyhow::Result` are seen for what they are.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::flight::SharedError;

/// Asks for the shape of the return type `R`.
#[derive(Debug)]
pub struct Probe<R>(PhantomData<fn() -> R>);

impl<R> Probe<R> {
    /// A probe for `R`.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "only expansions make one")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

/// How a return value splits into an error, an absent value and a value to keep.
pub trait Shape: Copy {
    /// What the function returns.
    type Return;
    /// What it returns when it did not fail.
    type Ok;
    /// What is kept.
    type Value;
    /// What it fails with.
    type Error;

    /// Splits off the error.
    ///
    /// # Errors
    ///
    /// The function's own.
    fn result(returned: Self::Return) -> Result<Self::Ok, Self::Error>;
    /// The value to keep; `None` for a known absence.
    fn value(ok: &Self::Ok) -> Option<&Self::Value>;
    /// Makes the `Ok` value of a kept one; `None` when this shape knows no absence.
    fn ok(value: Option<Self::Value>) -> Option<Self::Ok>;
    /// Puts the return value together again.
    fn returned(result: Result<Self::Ok, Self::Error>) -> Self::Return;
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $shape:ident<$($param:ident),+> fails with $error:ty, $trait:ident for [$($probe:tt)*];)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $shape<$($param),+>(PhantomData<fn() -> ($($param,)+)>);

        impl<$($param),+> Clone for $shape<$($param),+> {
            fn clone(&self) -> Self { *self }
        }

        impl<$($param),+> Copy for $shape<$($param),+> {}

        impl<$($param),+> $shape<$($param),+> {
            pub(crate) const fn new() -> Self { Self(PhantomData) }

            /// Asks whether errors can be shared.
            #[must_use]
            pub fn errors(self) -> Errors<$error> { Errors(PhantomData) }
        }

        #[doc = concat!("Finds `", stringify!($shape), "`.")]
        pub trait $trait<$($param),+> {
            /// The shape.
            fn __cached_redis_shape(&self) -> $shape<$($param),+> { $shape::new() }
        }

        impl<$($param),+> $trait<$($param),+> for $($probe)* {}
    )+};
}

shapes! {
    /// `T`: always kept.
    Plain<T> fails with Infallible, ByPlain for [Probe<T>];
    /// `Option<T>`: `None` is kept as an absence.
    Optional<T> fails with Infallible, ByOption for [&Probe<Option<T>>];
    /// `Result<T, E>`: only `Ok` is kept.
    Fallible<T, E> fails with E, ByResult for [&Probe<Result<T, E>>];
    /// `Result<Option<T>, E>`: both.
    FallibleOptional<T, E> fails with E, ByResultOption for [&&Probe<Result<Option<T>, E>>];
}

impl<T> Shape for Plain<T> {
    type Return = T;
    type Ok = T;
    type Value = T;
    type Error = Infallible;

    fn result(returned: T) -> Result<T, Infallible> {
        Ok(returned)
    }
    fn value(ok: &T) -> Option<&T> {
        Some(ok)
    }
    fn ok(value: Option<T>) -> Option<T> {
        value
    }
    fn returned(result: Result<T, Infallible>) -> T {
        let Ok(value) = result;
        value
    }
}

impl<T> Shape for Optional<T> {
    type Return = Option<T>;
    type Ok = Option<T>;
    type Value = T;
    type Error = Infallible;

    fn result(returned: Option<T>) -> Result<Option<T>, Infallible> {
        Ok(returned)
    }
    fn value(ok: &Option<T>) -> Option<&T> {
        ok.as_ref()
    }
    fn ok(value: Option<T>) -> Option<Option<T>> {
        Some(value)
    }
    fn returned(result: Result<Option<T>, Infallible>) -> Option<T> {
        let Ok(value) = result;
        value
    }
}

impl<T, E> Shape for Fallible<T, E> {
    type Return = Result<T, E>;
    type Ok = T;
    type Value = T;
    type Error = E;

    fn result(returned: Result<T, E>) -> Result<T, E> {
        returned
    }
    fn value(ok: &T) -> Option<&T> {
        Some(ok)
    }
    fn ok(value: Option<T>) -> Option<T> {
        value
    }
    fn returned(result: Result<T, E>) -> Result<T, E> {
        result
    }
}

impl<T, E> Shape for FallibleOptional<T, E> {
    type Return = Result<Option<T>, E>;
    type Ok = Option<T>;
    type Value = T;
    type Error = E;

    fn result(returned: Result<Option<T>, E>) -> Result<Option<T>, E> {
        returned
    }
    fn value(ok: &Option<T>) -> Option<&T> {
        ok.as_ref()
    }
    fn ok(value: Option<T>) -> Option<Option<T>> {
        Some(value)
    }
    fn returned(result: Result<Option<T>, E>) -> Result<Option<T>, E> {
        result
    }
}

/// Asks whether the error `E` can be shared with those who waited for the load.
#[derive(Debug)]
pub struct Errors<E>(PhantomData<fn() -> E>);

/// Whether and how a load error is handed to those who waited for it.
pub trait ErrorSharing<E> {
    /// A copy for the others.
    fn share(&self, error: &E) -> Option<SharedError>;
    /// Their copy of it.
    fn take(&self, shared: &SharedError) -> Option<E>;
}

/// Errors that are cloned for those who waited.
#[derive(Clone, Copy, Debug)]
pub struct Shared;

/// Errors that stay with the caller whose load failed.
#[derive(Clone, Copy, Debug)]
pub struct Kept;

impl<E: Clone + Send + Sync + 'static> ErrorSharing<E> for Shared {
    fn share(&self, error: &E) -> Option<SharedError> {
        Some(Arc::new(error.clone()))
    }
    fn take(&self, shared: &SharedError) -> Option<E> {
        shared.downcast_ref().cloned()
    }
}

impl<E> ErrorSharing<E> for Kept {
    fn share(&self, _: &E) -> Option<SharedError> {
        None
    }
    fn take(&self, _: &SharedError) -> Option<E> {
        None
    }
}

/// Finds `Shared`.
pub trait ErrorsShared {
    /// The answer.
    fn __cached_redis_errors(&self) -> Shared {
        Shared
    }
}

impl<E: Clone + Send + Sync + 'static> ErrorsShared for Errors<E> {}

/// Finds `Kept`.
pub trait ErrorsKept {
    /// The answer.
    fn __cached_redis_errors(&self) -> Kept {
        Kept
    }
}

impl<E> ErrorsKept for &Errors<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    type Alias<T> = Result<T, String>;

    #[expect(clippy::needless_borrow, reason = "the references choose")]
    #[test]
    fn the_type_decides_and_not_its_name() {
        let _: Plain<u8> = (&&&Probe::<u8>::new()).__cached_redis_shape();
        let _: Optional<u8> = (&&&Probe::<Option<u8>>::new()).__cached_redis_shape();
        let _: Fallible<u8, String> = (&&&Probe::<Alias<u8>>::new()).__cached_redis_shape();
        let _: Fallible<u8, std::io::Error> =
            (&&&Probe::<std::io::Result<u8>>::new()).__cached_redis_shape();
        let _: FallibleOptional<u8, String> =
            (&&&Probe::<Alias<Option<u8>>>::new()).__cached_redis_shape();
        let _: Optional<Option<u8>> =
            (&&&Probe::<Option<Option<u8>>>::new()).__cached_redis_shape();
    }

    #[expect(clippy::needless_borrow, reason = "the references choose")]
    #[test]
    fn errors_are_shared_where_they_can_be_cloned() {
        let _: Shared = (&Fallible::<u8, String>::new().errors()).__cached_redis_errors();
        let _: Kept = (&Fallible::<u8, std::io::Error>::new().errors()).__cached_redis_errors();
    }
}
