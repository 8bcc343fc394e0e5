//! Keys guard against two values meeting in one entry: whatever a value renders as, it cannot
//! forge a separator, a glob pattern or a hash tag, so that within one template different
//! parameters always give different keys.

mod escape;
mod name;
pub mod part;
mod pattern;
mod render;
pub(crate) mod room;
mod writer;

use std::fmt;

use serde::Serialize;

pub(crate) use self::escape::separates;
pub use self::name::KeyName;
pub(crate) use self::pattern::Pattern;
pub(crate) use self::render::Render;
pub use self::writer::KeyWriter;
pub(crate) use self::writer::{CallKey, full_key, marked_key};

/// A key built by hand, by the same rules as the templates of the attributes.
///
/// Text given to [`new`](Key::new) and [`text`](Key::text) is taken as it stands; everything else
/// is a value and is percent-escaped: `%`, `:`, `*`, `?`, `[`, `]`, `{`, `}`, `<`, `>`, `\`,
/// whitespace and control characters. A key that follows a template is the key of that template.
///
/// Put a character of that list between two values, best a `:`. It is what keeps them apart.
///
/// # Examples
///
/// The key of the template `"user:<id>:orders:<state>"`:
///
/// ```
/// use cached_redis::Key;
///
/// let key = Key::new("user:").value(42).text(":orders:").value("on hold");
/// assert_eq!(key.as_ref(), "user:42:orders:on%20hold");
/// ```
///
/// `None` differs from every value, the empty string included:
///
/// ```
/// use cached_redis::Key;
///
/// let of = |city: Option<&str>| Key::new("shops:").optional(&city);
/// assert_eq!(of(Some("Köln")).as_ref(), "shops:Köln");
/// assert_eq!(of(Some("")).as_ref(), "shops:");
/// assert_eq!(of(None).as_ref(), "shops:%none");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[must_use]
pub struct Key(KeyWriter);

impl Key {
    /// A key that begins with `text`, taken as it stands.
    ///
    /// ```
    /// # use cached_redis::Key;
    /// assert_eq!(Key::new("rates").as_ref(), "rates");
    /// ```
    pub fn new(text: impl Into<String>) -> Self {
        Self(KeyWriter::of(text.into()))
    }

    /// Appends text as it stands, like the literal text of a template.
    ///
    /// ```
    /// # use cached_redis::Key;
    /// let key = Key::new("cart:{").value(7).text("}:items");
    /// assert_eq!(key.as_ref(), "cart:{7}:items");
    /// ```
    pub fn text(mut self, text: &str) -> Self {
        self.0.text(text);
        self
    }

    /// Appends a value by its `Display`, as `<x>` does.
    ///
    /// ```
    /// # use cached_redis::Key;
    /// assert_eq!(Key::new("page:").value("a:b").as_ref(), "page:a%3Ab");
    /// ```
    pub fn value(mut self, value: impl fmt::Display) -> Self {
        self.0.display(&value);
        self
    }

    /// Appends an optional value, as `<x>` does for an `Option`: `None` is like no value.
    ///
    /// ```
    /// # use cached_redis::Key;
    /// assert_eq!(Key::new("limit:").optional(&Some(10)).as_ref(), "limit:10");
    /// assert_eq!(Key::new("limit:").optional::<u32>(&None).as_ref(), "limit:%none");
    /// ```
    pub fn optional<T: fmt::Display>(mut self, value: &Option<T>) -> Self {
        self.0.option(value.as_ref());
        self
    }

    /// Appends a value by its `Debug`, as `<x:?>` does.
    ///
    /// ```
    /// # use cached_redis::Key;
    /// assert_eq!(Key::new("by:").debug(&(1, true)).as_ref(), "by:(1,%20true)");
    /// ```
    pub fn debug<T: fmt::Debug + ?Sized>(mut self, value: &T) -> Self {
        self.0.debug(value);
        self
    }

    /// Appends the stable 128-bit hash of any serializable value, as `<x:hash>` does.
    ///
    /// It covers all that serde sees, names of types and fields included: a renamed field gives
    /// another key. The order of a map does not matter; that of a sequence does, so a `HashSet`
    /// is better given sorted.
    ///
    /// ```
    /// # use cached_redis::Key;
    /// let key = |ids: &[u32]| Key::new("orders:").hash(ids);
    /// assert_eq!(key(&[1, 2]), key(&[1, 2]));
    /// assert_ne!(key(&[1, 2]), key(&[2, 1]));
    /// assert_eq!(key(&[1, 2]).as_ref().len(), "orders:".len() + 32);
    /// ```
    pub fn hash<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        self.0.hash(value);
        self
    }

    /// The key under which the entry stands in Redis: with the namespace before it, and cut short with a hash at its
    /// end if it is longer than 512 bytes.
    ///
    /// ```
    /// # use cached_redis::Key;
    /// assert_eq!(Key::new("user:").value(42).in_namespace("shop"), "shop:user:42");
    /// ```
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> String {
        full_key(namespace, self.as_ref())
    }

    /// Appends the stable name of a type, as `<T>` does.
    ///
    /// ```
    /// # use cached_redis::Key;
    /// assert_eq!(Key::new("latest:").name::<u64>().as_ref(), "latest:u64");
    /// ```
    pub fn name<T: KeyName + ?Sized>(mut self) -> Self {
        self.0.name::<T>();
        self
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_ref())
    }
}

/// Without the text: keys carry user data, and `Debug` ends up in logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken;

    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            Err(fmt::Error)
        }
    }

    #[test]
    fn a_key_built_by_hand_is_the_key_of_the_template() {
        let mut writer = KeyWriter::new("shop");
        writer.text("user:");
        writer.display("a b");
        writer.text(":");
        writer.option(None::<&u8>);
        let key = Key::new("user:")
            .value("a b")
            .text(":")
            .optional::<u8>(&None);
        assert_eq!(writer.finish().unwrap(), full_key("shop", key.as_ref()));
    }

    #[test]
    fn debug_shows_no_user_value() {
        let key = Key::new("user:").value("secret");
        assert_eq!(format!("{key:?}"), "Key { .. }");
        assert_eq!(key.to_string(), "user:secret");
    }

    #[test]
    fn values_that_cannot_be_rendered_never_share_a_key() {
        let broken = || Key::new("x:").value(Broken);
        assert!(!broken().0.whole);
        assert_ne!(broken(), broken());
        assert_ne!(broken(), Key::new("x:").value("half"));
    }
}
