//! What a program can have in it, and which of that meets in one program.

use std::fmt;

use crate::program::Program;

macro_rules! features {
    ($($feature:ident)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Feature { $($feature),* }

        const ALL: &[Feature] = &[$(Feature::$feature),*];
    };
}

features! {
    Single Batch Nested Tagged FoundTags Versions Windows EarlyRefresh Negative Conditions DefaultKeys
    Methods GetOrFill Update Put WriteThrough Guard Committed RolledBack Patterns Clear WarmUp Refreshed
    Uncached Shadow SeveralCaches TwoProcesses TwoNamespaces Drops Errors Panics Faults Time
}

/// How often two features occurred in one program.
pub(crate) struct Pairs([[usize; ALL.len()]; ALL.len()]);

impl Pairs {
    pub(crate) fn new() -> Self {
        Self([[0; ALL.len()]; ALL.len()])
    }

    pub(crate) fn count(&mut self, program: &Program) {
        let features = program.features();
        for one in &features {
            for other in &features {
                self.0[*one as usize][*other as usize] += 1;
            }
        }
    }

    /// The pairs that never met.
    pub(crate) fn missing(&self) -> Vec<(Feature, Feature)> {
        let pairs = ALL
            .iter()
            .flat_map(|one| ALL.iter().map(move |other| (*one, *other)));
        pairs
            .filter(|(one, other)| one <= other && self.0[*one as usize][*other as usize] == 0)
            .collect()
    }
}

impl fmt::Display for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, one) in ALL.iter().enumerate() {
            write!(f, "{:>13}", format!("{one:?}"))?;
            let counts = &self.0[number][..=number];
            counts
                .iter()
                .try_for_each(|count| write!(f, " {count:>5}"))?;
            writeln!(f)?;
        }
        write!(f, "{:13}", "")?;
        let name = |one: &Feature| format!("{one:?}").chars().take(5).collect::<String>();
        ALL.iter()
            .try_for_each(|one| write!(f, " {:>5}", name(one)))?;
        writeln!(f)
    }
}
