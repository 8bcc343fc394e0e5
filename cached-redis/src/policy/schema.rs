//! What a changed type does with the entries of the old one.

/// Which entries a type reads that was changed since they were written.
///
/// While a new release of a program is rolled out, old and new processes share entries. Each entry
/// carries the shape of its type: the names of structs, fields and variants, their order and their kinds,
/// as far as serde sees them. Set by the option `schema` of
/// [`redis_cached`](macro@crate::redis_cached), [`Policy::schema`](crate::Policy::schema) or
/// [`Builder::schema`](crate::Builder::schema).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Schema {
    /// Those of the very same shape. Others are misses, and what is loaded replaces them.
    #[default]
    Exact,
    /// All that decode, in a codec that describes itself: `msgpack`, `json`, or
    /// [one of yours](crate::codec::Codec::self_describing). `build` refuses it with `bincode`.
    ///
    /// Only for types that change by additions: new fields that are optional or have a
    /// `#[serde(default)]`, new variants. **What it lets through:** a field that was renamed, or given
    /// another meaning, is read without its value where it is optional or has a default; a field that
    /// was removed is dropped; numbers change their type where the value fits; and another type of the
    /// same key is read where its fields allow it.
    Additive,
}
