//! What is to be removed, as the journal names it.

use crate::wire::targets::Targets;

#[derive(Debug, PartialEq)]
pub(crate) enum Target {
    /// All that is kept, as one thing: a load may begin from any of it.
    Some(Targets),
    Namespace,
}
