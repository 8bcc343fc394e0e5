//! Which build answers. Two builds never share a tag: the same data on a new template is another page.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

/// What tells a build of a program from all others.
#[derive(Clone, PartialEq, Eq)]
pub struct BuildId(Vec<u8>);

impl BuildId {
    /// An id that is new with every build: the hash of a commit, the number of a release. The same in all processes
    /// of a deployment, or each of them gives tags that the others do not know.
    pub fn new(id: impl AsRef<[u8]>) -> Self {
        Self(id.as_ref().to_vec())
    }

    /// The hash of the running executable, which is read once: about 50 ms for 50 MB. What the program reads when it
    /// runs, such as a template in a file, is no part of it: say so by [`input`](crate::ConditionalGetLayer::input).
    ///
    /// # Errors
    ///
    /// When the executable cannot be read.
    pub fn of_executable() -> io::Result<Self> {
        let mut hash = Sha256::new();
        io::copy(&mut File::open(executable()?)?, &mut hash)?;
        Ok(Self(hash.finalize().to_vec()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// On Linux what runs, and not what a deployment has put in its place meanwhile.
fn executable() -> io::Result<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok(PathBuf::from("/proc/self/exe")),
        false => std::env::current_exe(),
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildId").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executable_has_one_id_and_it_is_of_its_bytes() {
        let [a, b] = [(); 2].map(|()| BuildId::of_executable().unwrap());
        assert_eq!(a, b);
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(a.bytes(), &Sha256::digest(bytes)[..]);
    }
}
