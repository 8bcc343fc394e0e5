//! The probe behind `<x>` guards against `None` and `Some("")` meeting: an `Option` has no
//! `Display`, and is found by method lookup instead, through aliases and references.
//!
//! `(&Probe(&x)).__cached_redis_part()` finds [`ByOption`] or [`ByNumber`] first, which take `&Probe` as it is,
//! and [`ByDisplay`] only after one more borrow.

use std::fmt;

use super::KeyWriter;

/// A value that `<x>` can render.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be rendered in a key: it does not implement `Display`",
    label = "has no `Display`",
    note = "write `skip(x)` if it does not change the result; else `<x:?>` for its `Debug`, `<x:hash>` for a hash of any `Serialize` type, or a field such as `<x.id>`"
)]
pub trait KeyValue {
    /// Appends it, escaped.
    fn write(&self, key: &mut KeyWriter);
}

// Else the error would speak of `Display` alone and not of the remedies.
#[diagnostic::do_not_recommend]
impl<T: fmt::Display + ?Sized> KeyValue for T {
    #[inline]
    fn write(&self, key: &mut KeyWriter) {
        key.display(self);
    }
}

/// An `Option` behind any number of references.
pub trait Optional {
    /// The type inside.
    type Value;

    /// The value inside.
    fn value(&self) -> Option<&Self::Value>;
}

impl<T> Optional for Option<T> {
    type Value = T;

    #[inline]
    fn value(&self) -> Option<&T> {
        self.as_ref()
    }
}

impl<O: Optional + ?Sized> Optional for &O {
    type Value = O::Value;

    #[inline]
    fn value(&self) -> Option<&O::Value> {
        (**self).value()
    }
}

/// Holds the value to be rendered.
pub struct Probe<'a, T: ?Sized>(pub &'a T);

/// Found first.
pub trait ByOption {
    /// How an `Option` is rendered.
    #[inline]
    fn __cached_redis_part(&self) -> OptionPart {
        OptionPart
    }
}

impl<T: Optional + ?Sized> ByOption for Probe<'_, T> {}

/// Found for everything else.
pub trait ByDisplay {
    /// How a value is rendered.
    #[inline]
    fn __cached_redis_part(&self) -> DisplayPart {
        DisplayPart
    }
}

impl<T: ?Sized> ByDisplay for &Probe<'_, T> {}

/// Renders `None` and `Some` apart.
pub struct OptionPart;

impl OptionPart {
    /// Appends the value, or what stands for none.
    #[inline]
    pub fn write<T>(self, value: &T, key: &mut KeyWriter)
    where
        T: Optional + ?Sized,
        T::Value: KeyValue,
    {
        match value.value() {
            Some(value) => value.write(key),
            None => key.none(),
        }
    }
}

/// An integer behind any number of references. It is rendered without a formatter, which takes longer than all
/// else of a key.
pub trait Number {
    /// Whether it is below zero, and how far it is from that.
    fn parts(&self) -> (bool, u64);
}

macro_rules! numbers {
    ($($unsigned:ty: $signed:ty),+) => {$(
        impl Number for $unsigned {
            #[inline]
            fn parts(&self) -> (bool, u64) {
                (false, *self as u64)
            }
        }

        impl Number for $signed {
            #[inline]
            fn parts(&self) -> (bool, u64) {
                (*self < 0, self.unsigned_abs() as u64)
            }
        }
    )+};
}

numbers! { u8: i8, u16: i16, u32: i32, u64: i64, usize: isize }

impl<N: Number + ?Sized> Number for &N {
    #[inline]
    fn parts(&self) -> (bool, u64) {
        (**self).parts()
    }
}

/// Found for integers.
pub trait ByNumber {
    /// How one is rendered.
    #[inline]
    fn __cached_redis_part(&self) -> NumberPart {
        NumberPart
    }
}

impl<T: Number + ?Sized> ByNumber for Probe<'_, T> {}

/// Renders by digits.
pub struct NumberPart;

impl NumberPart {
    /// Appends the value.
    #[inline]
    pub fn write<T: Number + ?Sized>(self, value: &T, key: &mut KeyWriter) {
        let (negative, distance) = value.parts();
        key.number(negative, distance);
    }
}

/// Renders by `Display`.
pub struct DisplayPart;

impl DisplayPart {
    /// Appends the value.
    #[inline]
    pub fn write<T: KeyValue + ?Sized>(self, value: &T, key: &mut KeyWriter) {
        value.write(key);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Display;

    use super::*;

    macro_rules! key {
        ($value:expr) => {{
            let mut key = KeyWriter::new("n");
            (&Probe(&$value))
                .__cached_redis_part()
                .write(&$value, &mut key);
            key.finish().unwrap()
        }};
    }

    type Alias = Option<&'static str>;

    fn generic<T: Display>(value: T) -> String {
        key!(value)
    }

    #[test]
    fn options_are_found_behind_references_and_aliases() {
        let (some, none): (Alias, Alias) = (Some(""), None);
        assert_eq!((key!(some), key!(none)), ("n:".into(), "n:%none".into()));
        assert_eq!(
            (key!(&&some), key!(&&&none)),
            ("n:".into(), "n:%none".into())
        );
        assert_eq!(key!(Some(String::from("a:b"))), "n:a%3Ab");
    }

    #[test]
    fn integers_render_as_by_display() {
        macro_rules! same {
            ($($type:ty)+) => {$(
                for number in [<$type>::MIN, 0, 1, 9, 10, 99, 100, <$type>::MAX] {
                    assert_eq!((key!(number), key!(&&number)), (generic(number), generic(number)));
                }
            )+};
        }
        same! { u8 u16 u32 u64 usize i8 i16 i32 i64 isize u128 i128 }
    }

    #[test]
    fn other_values_render_by_display() {
        assert_eq!(
            (key!(42_u64), key!(&&-1_i8)),
            ("n:42".into(), "n:-1".into())
        );
        assert_eq!(
            (key!("%none"), key!(*"x")),
            ("n:%25none".into(), "n:x".into())
        );
        assert_eq!(generic(Box::<str>::from("é")), "n:é");
    }
}
