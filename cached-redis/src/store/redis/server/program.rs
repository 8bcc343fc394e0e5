//! Which server the tests start.

use std::env;
use std::path::{Path, PathBuf};

/// `redis-server` of the PATH, or what `./scripts/need-servers` has fetched under the name that `SERVER` gives.
pub(crate) fn program() -> PathBuf {
    let Ok(name) = env::var("SERVER") else {
        return "redis-server".into();
    };
    let tests = env::current_exe().expect("a test that runs");
    let fetched = |folder: &Path| folder.join("servers").join(&name);
    let mut all = tests.ancestors().map(fetched);
    let found = all.find(|program| program.is_file());
    found.unwrap_or_else(|| {
        panic!("there is no server `{name}`: run `./scripts/need-servers {name}`")
    })
}
