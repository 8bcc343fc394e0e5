//! Signals to processes that a test has started.

use std::process::{Child, Command};

/// Sends `signal`, by its short name, such as `STOP`.
pub(crate) fn signal(child: &Child, signal: &str) {
    let kill = format!("kill -{signal} {}", child.id());
    let status = Command::new("sh").args(["-c", &kill]).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "`{kill}` works"
    );
}
