//! Values that are kept decoded, and what of them a function gets: of an `Arc` that it returns another
//! reference, of what is `Clone` a clone. All else is decoded each time.
//!
//! Found by the type itself: see [`shape`](crate::engine::shape) for how. What is kept is what the `Arc`
//! points to, so functions that return `T`, `Option<T>` and `Arc<T>` share it.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::engine::id_map::IdMap;
use crate::engine::shape::Shape;
use crate::wire::codec::{self, Codec};
use crate::wire::entry::Live;

pub(crate) type Kept = Arc<dyn Any + Send + Sync>;

/// How a `V` is kept and given out, where that can be.
pub(crate) type Sharing<V> = Option<Copies<V>>;

/// How a `V` is kept and given out.
pub struct Copies<V> {
    keep: fn(&V) -> Option<Kept>,
    copy: fn(&Kept) -> Option<V>,
}

impl<V> Clone for Copies<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Copies<V> {}

impl<V> fmt::Debug for Copies<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies").finish_non_exhaustive()
    }
}

/// A copy of a value that is kept. One of another type, under the same key, is kept for readers of that.
#[inline]
pub(crate) fn copy<V>(sharing: Sharing<V>, kept: Option<&Kept>) -> Option<V> {
    (sharing?.copy)(kept?)
}

/// What is kept beside `live`, if a reader in `codec` would decode that.
pub(crate) fn kept(codec: impl Codec, live: &Live) -> Option<&Kept> {
    let kept = live.decoded.as_ref()?.get();
    kept.filter(|_| codec::reads(&codec, &live.header))
}

/// Keeps what was decoded, where nothing is kept yet.
pub(crate) fn keep<V>(sharing: Sharing<V>, live: &Live, value: &V) {
    if let (Some(copies), Some(decoded)) = (sharing, &live.decoded)
        && decoded.get().is_none()
        && let Some(kept) = (copies.keep)(value)
    {
        // Where somebody was faster, the value is the same.
        let _ = decoded.set(kept);
    }
}

/// Asks how values of `V` are kept.
#[derive(Debug)]
pub struct Copying<V>(PhantomData<fn() -> V>);

/// Asks it of what functions of a shape return.
pub fn copying<S: Shape>(_: &S) -> Copying<S::Ok> {
    Copying(PhantomData)
}

/// Asks it of each value of a batch.
pub fn copying_each<S: Shape<Ok: IdMap>>(_: &S) -> Copying<<S::Ok as IdMap>::Value> {
    Copying(PhantomData)
}

/// From one table: what is kept of a value, and how it is given out. The one of the most references fits.
macro_rules! copies {
    ($($(#[$doc:meta])* $rank:ident { $($probe:ty => $value:ty, $keep:expr, $copy:expr $(, $bound:ident)?;)+ })+) => {$(
        $(#[$doc])*
        pub trait $rank {
            /// What is kept.
            type Value;
            /// Finds how.
            fn __cached_redis_copies(&self) -> Sharing<Self::Value>;
        }

        $(impl<T: $($bound +)? Send + Sync + 'static> $rank for $probe {
            type Value = $value;

            fn __cached_redis_copies(&self) -> Sharing<$value> {
                Some(Copies { keep: $keep, copy: $copy })
            }
        })+
    )+};
}

copies! {
    /// The first to be asked.
    Copies3 {
        &&&Copying<Option<Arc<T>>> => Option<Arc<T>>,
            |value| Some(value.clone()? as Kept),
            |kept| Some(Some(Arc::clone(kept).downcast().ok()?));
    }
    /// Asked next.
    Copies2 {
        &&Copying<Arc<T>> => Arc<T>,
            |value| Some(value.clone() as Kept),
            |kept| Arc::clone(kept).downcast().ok();
        &&Copying<Option<T>> => Option<T>,
            |value| Some(Arc::new(value.clone()?) as Kept),
            |kept| Some(Some(kept.downcast_ref::<T>()?.clone())), Clone;
    }
    /// Asked then.
    Copies1 {
        &Copying<T> => T,
            |value| Some(Arc::new(value.clone()) as Kept),
            |kept| kept.downcast_ref::<T>().cloned(), Clone;
    }
}

/// Fits always.
pub trait Copies0 {
    /// What is not kept.
    type Value;
    /// Finds that it cannot be.
    fn __cached_redis_copies(&self) -> Sharing<Self::Value>;
}

impl<V> Copies0 for Copying<V> {
    type Value = V;

    fn __cached_redis_copies(&self) -> Sharing<V> {
        None
    }
}

/// In its place where a value has to be kept.
pub trait Refused0 {
    /// What cannot be kept.
    type Value;
    /// Refuses it.
    fn __cached_redis_copies(&self) -> Sharing<Self::Value>
    where
        Self::Value: Copied;
}

impl<V> Refused0 for Copying<V> {
    type Value = V;

    fn __cached_redis_copies(&self) -> Sharing<V>
    where
        V: Copied,
    {
        None
    }
}

/// Nothing implements it: of what can be kept another trait is found first.
#[diagnostic::on_unimplemented(
    message = "with `checked` a value is kept in memory, and `{Self}` can be neither shared nor cloned",
    label = "neither an `Arc` nor `Clone`, or not `Send`, `Sync` and `'static`",
    note = "help: return an `Arc` of it, derive `Clone` for it, or remove `checked`"
)]
pub trait Copied {}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;
    use std::sync::Arc;

    use super::{Copies0 as _, Copies1 as _, Copies2 as _, Copies3 as _, Copying};

    macro_rules! found {
        ($of:ty) => {
            (&&&&Copying::<$of>(PhantomData)).__cached_redis_copies()
        };
    }

    struct Unclonable;

    #[test]
    fn what_is_kept_is_found_by_the_type() {
        let (shared, owned) = (found!(Arc<String>).unwrap(), found!(String).unwrap());
        let (may_share, may_own) = (
            found!(Option<Arc<String>>).unwrap(),
            found!(Option<String>).unwrap(),
        );
        let value = Arc::new("a".to_owned());
        let kept = (shared.keep)(&value).unwrap();
        assert!(Arc::ptr_eq(&(shared.copy)(&kept).unwrap(), &value));
        assert!(Arc::ptr_eq(
            &(may_share.copy)(&kept).unwrap().unwrap(),
            &value
        ));
        assert_eq!((owned.copy)(&kept).as_ref(), Some(&*value));
        assert_eq!((may_own.copy)(&kept), Some(Some("a".to_owned())));
        assert!((may_own.keep)(&None).is_none(), "its entry says so");
        assert!((found!(u8).unwrap().copy)(&kept).is_none());
        let (pointed, none) = (found!(Arc<Unclonable>), found!(Unclonable));
        assert!(pointed.is_some() && none.is_none());
        assert!(found!(std::rc::Rc<u8>).is_none(), "it stays in its thread");
    }
}
