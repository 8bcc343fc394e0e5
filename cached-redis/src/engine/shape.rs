//! What an annotated function returns, found by the type itself and not by its name.
//!
//! Only `Ok` values are kept, a `None` is kept as "known to be absent", and of an `Arc` what it points
//! to. Which of these applies is found by method probing: the expansion calls `.__cached_redis_shape()`
//! on `&&&&Probe<R>`, and the compiler takes the first of the traits below, from the most references to
//! the fewest, that fits. So `type ApiResult<T> = Result<T, ApiError>` and `anyhow::Result` are seen for
//! what they are.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::engine::copies::Sharing;
use crate::engine::id_map::IdMap;
use crate::protocol::progress::SharedError;
use crate::wire::codec::Equal;
use crate::wire::form::{Form, Pointed, Pointer, Whole};

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
    /// How two values are compared, where that is known.
    fn equal(&self) -> Equal<Self::Value> {
        None
    }
    /// How they are kept decoded, where they can be.
    fn sharing(&self) -> Sharing<Self::Ok> {
        None
    }
}

/// The shape `S`, whose values are compared, and kept decoded, where they can be.
#[derive(Debug)]
pub struct Comparing<S: Shape> {
    equal: Equal<S::Value>,
    sharing: Sharing<S::Ok>,
    shape: PhantomData<fn() -> S>,
}

impl<S: Shape> Clone for Comparing<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Shape> Copy for Comparing<S> {}

impl<S: Shape> Comparing<S> {
    /// With what a probe has found.
    #[must_use]
    pub fn new(_: S, equal: Equal<S::Value>) -> Self {
        Self {
            equal,
            sharing: None,
            shape: PhantomData,
        }
    }

    /// The same with what another probe has found.
    #[must_use]
    pub fn shared(self, sharing: Sharing<S::Ok>) -> Self {
        Self { sharing, ..self }
    }

    /// Asks whether errors can be shared.
    #[must_use]
    pub fn errors(self) -> Errors<S::Error> {
        Errors(PhantomData)
    }

    /// Asks for the form of each value of a batch.
    #[must_use]
    pub fn each(self) -> EachProbe<S> {
        EachProbe(PhantomData)
    }
}

impl<S: Shape> Shape for Comparing<S> {
    type Return = S::Return;
    type Ok = S::Ok;
    type Value = S::Value;
    type Error = S::Error;

    fn result(returned: S::Return) -> Result<S::Ok, S::Error> {
        S::result(returned)
    }
    fn value(ok: &S::Ok) -> Option<&S::Value> {
        S::value(ok)
    }
    fn ok(value: Option<S::Value>) -> Option<S::Ok> {
        S::ok(value)
    }
    fn returned(result: Result<S::Ok, S::Error>) -> S::Return {
        S::returned(result)
    }
    fn equal(&self) -> Equal<S::Value> {
        self.equal
    }
    fn sharing(&self) -> Sharing<S::Ok> {
        self.sharing
    }
}

/// Asks whether values of `T` can be compared.
#[derive(Debug)]
pub struct Values<T>(PhantomData<fn() -> T>);

/// Asks it of the values of a shape.
pub fn values<S: Shape>(_: &S) -> Values<S::Value> {
    Values(PhantomData)
}

/// Asks it of those that a batch keeps one by one, in the form `V`.
pub fn each<S, V>(_: &S, _: &V) -> Values<V::Stored>
where
    S: Shape<Ok: IdMap>,
    V: Form<<S::Ok as IdMap>::Value>,
{
    Values(PhantomData)
}

/// Finds how they are compared.
pub trait ByEqual<T> {
    /// The answer.
    fn __cached_redis_equal(&self) -> Equal<T>;
}

impl<T: PartialEq> ByEqual<T> for Values<T> {
    fn __cached_redis_equal(&self) -> Equal<T> {
        Some(T::eq)
    }
}

/// Finds that it is not known.
pub trait ByNothing {
    /// The answer.
    fn __cached_redis_equal<T>(&self) -> Equal<T> {
        None
    }
}

impl<T> ByNothing for &Values<T> {}

macro_rules! shapes {
    ($($(#[$doc:meta])* $shape:ident<$($param:ident),+> fails with $error:ty;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $shape<$($param,)+ F = Whole>(PhantomData<fn() -> ($($param,)+ F)>);

        impl<$($param,)+ F> Clone for $shape<$($param,)+ F> {
            fn clone(&self) -> Self { *self }
        }

        impl<$($param,)+ F> Copy for $shape<$($param,)+ F> {}

        impl<$($param,)+ F> $shape<$($param,)+ F> {
            const fn found() -> Self { Self(PhantomData) }
        }
    )+};
}

shapes! {
    /// `T`: always kept.
    Plain<T> fails with Infallible;
    /// `Option<T>`: `None` is kept as an absence.
    Optional<T> fails with Infallible;
    /// `Result<T, E>`: only `Ok` is kept.
    Fallible<T, E> fails with E;
    /// `Result<Option<T>, E>`: both.
    FallibleOptional<T, E> fails with E;
}

impl<T, E> Fallible<T, E> {
    pub(crate) const fn new() -> Self {
        Self::found()
    }
}

impl<T, E> FallibleOptional<T, E> {
    pub(crate) const fn new() -> Self {
        Self::found()
    }
}

/// Of these, the one of the most references fits.
macro_rules! ranks {
    ($($(#[$doc:meta])* $rank:ident { $($probe:ty => $shape:ty, for<$($param:ident $(: $bound:ident)?),+>;)+ })+) => {$(
        $(#[$doc])*
        pub trait $rank {
            /// The shape.
            type Shape;
            /// Finds it.
            fn __cached_redis_shape(&self) -> Self::Shape;
        }

        $(impl<$($param $(: $bound)?),+> $rank for $probe {
            type Shape = $shape;

            fn __cached_redis_shape(&self) -> $shape { <$shape>::found() }
        })+
    )+};
}

ranks! {
    /// The first to be asked.
    Rank3 {
        &&&Probe<Result<Option<P>, E>> => FallibleOptional<P, E, Pointed>, for<P: Pointer, E>;
    }
    /// Asked next.
    Rank2 {
        &&Probe<Result<Option<T>, E>> => FallibleOptional<T, E>, for<T, E>;
        &&Probe<Result<P, E>> => Fallible<P, E, Pointed>, for<P: Pointer, E>;
        &&Probe<Option<P>> => Optional<P, Pointed>, for<P: Pointer>;
    }
    /// Asked then.
    Rank1 {
        &Probe<Result<T, E>> => Fallible<T, E>, for<T, E>;
        &Probe<Option<T>> => Optional<T>, for<T>;
        &Probe<P> => Plain<P, Pointed>, for<P: Pointer>;
    }
    /// Fits always.
    Rank0 {
        Probe<T> => Plain<T>, for<T>;
    }
}

impl<T, F: Form<T>> Shape for Plain<T, F> {
    type Return = T;
    type Ok = T;
    type Value = F::Stored;
    type Error = Infallible;

    fn result(returned: T) -> Result<T, Infallible> {
        Ok(returned)
    }
    fn value(ok: &T) -> Option<&F::Stored> {
        Some(F::stored(ok))
    }
    fn ok(value: Option<F::Stored>) -> Option<T> {
        value.map(F::restored)
    }
    fn returned(result: Result<T, Infallible>) -> T {
        let Ok(value) = result;
        value
    }
}

impl<T, F: Form<T>> Shape for Optional<T, F> {
    type Return = Option<T>;
    type Ok = Option<T>;
    type Value = F::Stored;
    type Error = Infallible;

    fn result(returned: Option<T>) -> Result<Option<T>, Infallible> {
        Ok(returned)
    }
    fn value(ok: &Option<T>) -> Option<&F::Stored> {
        ok.as_ref().map(F::stored)
    }
    fn ok(value: Option<F::Stored>) -> Option<Option<T>> {
        Some(value.map(F::restored))
    }
    fn returned(result: Result<Option<T>, Infallible>) -> Option<T> {
        let Ok(value) = result;
        value
    }
}

impl<T, E, F: Form<T>> Shape for Fallible<T, E, F> {
    type Return = Result<T, E>;
    type Ok = T;
    type Value = F::Stored;
    type Error = E;

    fn result(returned: Result<T, E>) -> Result<T, E> {
        returned
    }
    fn value(ok: &T) -> Option<&F::Stored> {
        Some(F::stored(ok))
    }
    fn ok(value: Option<F::Stored>) -> Option<T> {
        value.map(F::restored)
    }
    fn returned(result: Result<T, E>) -> Result<T, E> {
        result
    }
}

impl<T, E, F: Form<T>> Shape for FallibleOptional<T, E, F> {
    type Return = Result<Option<T>, E>;
    type Ok = Option<T>;
    type Value = F::Stored;
    type Error = E;

    fn result(returned: Result<Option<T>, E>) -> Result<Option<T>, E> {
        returned
    }
    fn value(ok: &Option<T>) -> Option<&F::Stored> {
        ok.as_ref().map(F::stored)
    }
    fn ok(value: Option<F::Stored>) -> Option<Option<T>> {
        Some(value.map(F::restored))
    }
    fn returned(result: Result<Option<T>, E>) -> Result<Option<T>, E> {
        result
    }
}

/// Asks for the form of each value of a batch of the shape `S`.
#[derive(Debug)]
pub struct EachProbe<S>(PhantomData<fn() -> S>);

/// Finds values behind a pointer.
pub trait EachPointed {
    /// The form.
    fn __cached_redis_form(&self) -> Pointed {
        Pointed
    }
}

impl<S: Shape<Ok: IdMap<Value: Pointer>>> EachPointed for EachProbe<S> {}

/// Finds all other values.
pub trait EachWhole {
    /// The form.
    fn __cached_redis_form(&self) -> Whole {
        Whole
    }
}

impl<S> EachWhole for &EachProbe<S> {}

/// Asks whether the error `E` can be shared with those who waited for the load.
#[derive(Debug)]
pub struct Errors<E>(PhantomData<fn() -> E>);

/// Whether and how a load error is handed to those who waited for it.
pub(crate) trait ErrorSharing<E> {
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
        Some(SharedError(Arc::new(error.clone())))
    }
    fn take(&self, shared: &SharedError) -> Option<E> {
        shared.0.downcast_ref().cloned()
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
        let _: Plain<u8> = (&&&&Probe::<u8>::new()).__cached_redis_shape();
        let _: Optional<u8> = (&&&&Probe::<Option<u8>>::new()).__cached_redis_shape();
        let _: Fallible<u8, String> = (&&&&Probe::<Alias<u8>>::new()).__cached_redis_shape();
        let _: Fallible<u8, std::io::Error> =
            (&&&&Probe::<std::io::Result<u8>>::new()).__cached_redis_shape();
        let _: FallibleOptional<u8, String> =
            (&&&&Probe::<Alias<Option<u8>>>::new()).__cached_redis_shape();
        let _: Optional<Option<u8>> =
            (&&&&Probe::<Option<Option<u8>>>::new()).__cached_redis_shape();
    }

    #[expect(clippy::needless_borrow, reason = "the references choose")]
    #[test]
    fn values_are_compared_where_they_can_be() {
        struct Incomparable;
        type Map<T> = std::collections::HashMap<u8, T>;
        let known = (&values(&Plain::<f64>::found())).__cached_redis_equal();
        assert!(known.is_some());
        let known = (&each(&Plain::<Map<Arc<u8>>>::found(), &Pointed)).__cached_redis_equal();
        assert!(known.is_some());
        let unknown: Equal<Incomparable> =
            (&values(&Plain::<Incomparable>::found())).__cached_redis_equal();
        assert!(unknown.is_none());
        let unknown: Equal<Incomparable> =
            (&each(&Plain::<Map<Incomparable>>::found(), &Whole)).__cached_redis_equal();
        assert!(unknown.is_none());
    }

    #[expect(clippy::needless_borrow, reason = "the references choose")]
    #[test]
    fn errors_are_shared_where_they_can_be_cloned() {
        let _: Shared =
            (&Comparing::new(Fallible::<u8, String>::new(), None).errors()).__cached_redis_errors();
        let _: Kept = (&Comparing::new(Fallible::<u8, std::io::Error>::new(), None).errors())
            .__cached_redis_errors();
    }
}
