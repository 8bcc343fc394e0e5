//! What of a value is stored: the value itself, or what it points to.
//!
//! serde knows `Arc` and `Rc` only with its feature `rc`, which is not asked for here: what they point to
//! is encoded, and gets a new pointer when it is decoded. So a function that returns `Arc<User>` shares
//! its entries with one that returns `User`, and it is the same with `rc`.

use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

/// How a value `V` is stored and restored.
pub trait Form<V>: Copy {
    /// What is encoded.
    type Stored;

    /// The part of a value that is encoded.
    fn stored(value: &V) -> &Self::Stored;
    /// The value of what was decoded.
    fn restored(stored: Self::Stored) -> V;
}

/// The value itself.
#[derive(Clone, Copy, Debug)]
pub struct Whole;

/// What the value points to.
#[derive(Clone, Copy, Debug)]
pub struct Pointed;

impl<V> Form<V> for Whole {
    type Stored = V;

    fn stored(value: &V) -> &V {
        value
    }
    fn restored(stored: V) -> V {
        stored
    }
}

impl<P: Pointer> Form<P> for Pointed {
    type Stored = P::Target;

    fn stored(value: &P) -> &P::Target {
        value
    }
    fn restored(stored: P::Target) -> P {
        P::from(stored)
    }
}

/// A shared pointer.
pub trait Pointer: Deref<Target: Sized> + From<<Self as Deref>::Target> {}

impl<T> Pointer for Arc<T> {}
impl<T> Pointer for Rc<T> {}
