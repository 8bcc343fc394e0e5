//! The SQL that lets a database say what it changes. All of it can be run again.

mod kit;
mod quote;
mod table;
mod template;

pub use kit::Kit;
pub use table::Table;

/// The table that [`is_first`](crate::is_first) needs, for exactly-once
/// [write-behind](cached_redis::docs::write_behind#exactly-once).
pub const APPLIED: &str = "CREATE TABLE IF NOT EXISTS cached_redis_applied (
    queue text, partition int, number bigint NOT NULL,
    PRIMARY KEY (queue, partition)
);
";

/// Why no triggers can be made for a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A template cannot be rendered in SQL as it is in Rust, or not at all.
    #[error("the template `{template}` {what}")]
    Template {
        /// As it was written.
        template: String,
        /// What is wrong, and what to write instead.
        what: &'static str,
    },
    /// Neither a key nor a tag was named.
    #[error("nothing is invalidated for the table `{0}`: name a key or a tag")]
    Nothing(String),
    /// A name is empty or holds a NUL.
    #[error("the name of a table or a schema is empty, or holds a NUL")]
    Name,
}
