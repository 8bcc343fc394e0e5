//! Processes that a test starts, and signals to them.

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

/// This program once more, for one of its tests that is ignored else.
pub(crate) fn again(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command
}
