//! Which rules a machine of the protocol follows: the library all of them, a broken twin in the model all but
//! one.

/// The rules of a machine, of which there are these.
pub(crate) trait Rules<Rule> {
    /// Whether it follows this one.
    fn follows(&self, rule: Rule) -> bool;
}

/// All of them, which costs nothing.
pub(crate) struct AllRules;

impl<Rule> Rules<Rule> for AllRules {
    #[inline(always)]
    fn follows(&self, _: Rule) -> bool {
        true
    }
}
