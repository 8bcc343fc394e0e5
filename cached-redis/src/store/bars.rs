//! A bar holds up the fills of keys: while it stands nothing is stored under a key that begins with one
//! of its prefixes.
//!
//! A removal that takes several steps needs it (see [`remove`](crate::engine::remove)): in between, a load that
//! calls another cached function may find there what is yet to be removed. Each bar has a deadline, so
//! that one whose process died does not stand for long; whether it stood until its end is answered then.

use crate::wire::entry::Token;

/// The bars of one store.
#[derive(Default)]
pub(super) struct Bars(Vec<Bar>);

struct Bar {
    id: Token,
    /// In ms of the store's clock.
    deadline: u64,
    prefixes: Vec<String>,
}

impl Bars {
    /// Puts a bar there, gives it a later deadline, or takes it away without one. Whether it stood.
    pub(super) fn set(
        &mut self,
        id: Token,
        deadline: Option<u64>,
        prefixes: &[String],
        now: u64,
    ) -> bool {
        self.0.retain(|bar| bar.deadline > now);
        let before = self.0.len();
        self.0.retain(|bar| bar.id != id);
        let stood = self.0.len() < before;
        self.0.extend(deadline.map(|deadline| Bar {
            id,
            deadline,
            prefixes: prefixes.to_vec(),
        }));
        stood
    }

    /// Whether `key` is not to be filled yet.
    pub(super) fn hold_up(&self, key: &str, now: u64) -> bool {
        let holds_up = |bar: &Bar| {
            bar.deadline > now && bar.prefixes.iter().any(|prefix| key.starts_with(prefix))
        };
        self.0.iter().any(holds_up)
    }
}

/// As a store takes it, which writes it into a line: a shorter one holds up more.
pub(crate) fn prefix(text: &str) -> String {
    text.split('\n').next().unwrap_or_default().to_owned()
}
