//! How a function whose write is refused says so: in its own return type, which the type itself
//! must allow. Found by trait, not by name, so that aliases of `Result` work.

use crate::error::conversion::MadeOf;
use crate::error::{Busy, Unguarded};
use crate::observe::behind::Applied;

/// The return type of a function under `#[invalidates(…, guard = "require")]`.
#[diagnostic::on_unimplemented(
    message = "a function with `guard = \"require\"` returns a `Result`, to refuse the write",
    label = "this is no `Result`",
    note = "return a `Result`, or write `guard`: the write then goes on in one phase"
)]
pub trait Refusal {
    /// The error for a write that is not guarded.
    fn refusal(unguarded: Unguarded) -> Self;
}

impl<T, E: MadeOf<Unguarded>> Refusal for Result<T, E> {
    fn refusal(unguarded: Unguarded) -> Self {
        Err(E::made_of(unguarded))
    }
}

/// The return type of a function under `#[write_behind]`.
#[diagnostic::on_unimplemented(
    message = "a function under `#[write_behind]` returns a `Result<(), …>`: it has not run when its caller goes on",
    label = "this is no `Result` of nothing",
    note = "return `Result<(), E>`, where `E` is made of `cached_redis::error::Busy`"
)]
pub trait Acceptance {
    /// What the caller gets for a write that was accepted, or was not.
    fn acceptance(accepted: Result<(), Busy>) -> Self;

    /// What came of the function, when it is run.
    fn applied(&self) -> Applied;
}

impl<E: MadeOf<Busy>> Acceptance for Result<(), E> {
    fn acceptance(accepted: Result<(), Busy>) -> Self {
        accepted.map_err(E::made_of)
    }

    fn applied(&self) -> Applied {
        match self {
            Ok(()) => Applied::Yes,
            Err(_) => Applied::Failed,
        }
    }
}
