//! Errors of the user that stand for one of ours.

/// An error of the user's that can stand for one of ours. The name is for the compiler's message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made of `{T}`, which the function may have to return",
    label = "this error type",
    note = "write `impl From<{T}> for {Self}`"
)]
pub trait MadeOf<T> {
    /// Makes it.
    fn made_of(error: T) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<T>> MadeOf<T> for E {
    fn made_of(error: T) -> Self {
        error.into()
    }
}
