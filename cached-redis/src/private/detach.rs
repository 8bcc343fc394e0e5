//! Arguments of loads that nobody waits for any more.

use std::borrow::Borrow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// What a load can be given that goes on without its caller.
// What keeps the copy is a parameter: an associated type would be a second error where there is none.
#[diagnostic::on_unimplemented(
    message = "a load that goes on behind its caller cannot borrow a `{Self}`",
    label = "this cannot be copied into a task of its own",
    note = "a copy needs `Clone`, `Send` and `Sync`; implement them, pass it by value or behind an `Arc`, or set the option in a `policy`: one caller then waits for the load"
)]
pub trait Detach<O> {
    /// Makes the copy.
    fn detached(&self) -> O;
}

// `ToOwned` is the same for all of these, and makes worse messages for what is not `Clone`.
#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Detach<T> for T {
    fn detached(&self) -> T {
        self.clone()
    }
}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Detach<Vec<T>> for [T] {
    fn detached(&self) -> Vec<T> {
        self.to_vec()
    }
}

macro_rules! lent {
    ($($lent:ty => $copy:ty;)+) => {$(
        impl Detach<$copy> for $lent {
            fn detached(&self) -> $copy {
                self.to_owned()
            }
        }
    )+};
}

lent! {
    str => String;
    Path => PathBuf;
    OsStr => OsString;
    CStr => CString;
}

/// A copy `O` of something that the caller lends.
pub struct Held<T: ?Sized, O> {
    copy: O,
    lent: PhantomData<fn(&T)>,
}

impl<T: ?Sized, O: Borrow<T>> Held<T, O> {
    /// The copy, as it was lent.
    pub fn get(&self) -> &T {
        self.copy.borrow()
    }
}

impl<T: ?Sized, O> fmt::Debug for Held<T, O> {
    /// Says nothing of what it holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// Copies what the caller lends.
pub fn held<T: Detach<O> + ?Sized, O>(lent: &T) -> Held<T, O> {
    Held {
        copy: lent.detached(),
        lent: PhantomData,
    }
}

/// What a load can take along that goes on without its caller.
// The impl is a parameter: where neither can be chosen the value has no type, and no more is said of it.
#[diagnostic::on_unimplemented(
    message = "a load that goes on behind its caller cannot take a `{Self}` along",
    label = "this cannot be sent to another thread",
    note = "pass what is `Send`, such as an `Arc` for an `Rc`, or set the option in a `policy`: one caller then waits for the load"
)]
pub trait Sent<Impl, O> {
    /// Itself.
    fn sent(self) -> O;
}

#[diagnostic::do_not_recommend]
impl<T: Send> Sent<u8, T> for T {
    fn sent(self) -> T {
        self
    }
}

/// Nothing has it.
pub trait Never {}

#[diagnostic::do_not_recommend]
impl<T: Never> Sent<u16, T> for T {
    fn sent(self) -> T {
        self
    }
}

/// Hands on what the caller gives.
pub fn sent<T: Sent<I, O>, I, O>(given: T) -> O {
    given.sent()
}
