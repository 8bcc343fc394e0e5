//! What is to be removed, as the journal names it.

use crate::wire::key::Pattern;

#[derive(Debug, PartialEq)]
pub(crate) enum Target {
    /// All that is kept, as one thing: a load may begin from any of it.
    Some(Vec<String>, Vec<Pattern>),
    Namespace,
}
