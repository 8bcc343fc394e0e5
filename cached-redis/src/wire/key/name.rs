//! Names guard keys of generic functions against the compiler: `type_name` may change with its
//! version, and two binaries would no longer share an entry.

/// A stable name of a type, for the placeholder `<T>` of a type parameter.
///
/// It is implemented for the primitive types, `str` and `String`. Give your own types a name that
/// stays, whatever becomes of their path.
///
/// # Examples
///
/// ```
/// use cached_redis::{Key, KeyName};
///
/// struct Invoice;
///
/// impl KeyName for Invoice {
///     const KEY_NAME: &'static str = "invoice";
/// }
///
/// fn latest<T: KeyName>(user: u64) -> Key {
///     Key::new("latest:").name::<T>().text(":").value(user)
/// }
///
/// assert_eq!(latest::<Invoice>(42).as_ref(), "latest:invoice:42");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no stable name for a key",
    label = "no `KeyName`",
    note = "implement `cached_redis::KeyName` for `{Self}`, or leave the type parameter out with `skip(…)`"
)]
pub trait KeyName {
    /// The name. It is escaped like any value.
    const KEY_NAME: &'static str;
}

macro_rules! named_as_written {
    ($($type:ident)*) => {$(
        impl KeyName for $type {
            const KEY_NAME: &'static str = stringify!($type);
        }
    )*};
}

named_as_written! {
    bool char str String
    u8 u16 u32 u64 u128 usize
    i8 i16 i32 i64 i128 isize
    f32 f64
}

impl KeyName for () {
    const KEY_NAME: &'static str = "()";
}

impl<T: KeyName + ?Sized> KeyName for &T {
    const KEY_NAME: &'static str = T::KEY_NAME;
}
