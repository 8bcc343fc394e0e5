//! How a function whose write is refused says so: in its own return type, which the type itself
//! must allow. Found by trait, not by name, so that aliases of `Result` work.

use crate::error::Unguarded;
use crate::error::conversion::MadeOf;

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
