//! What servers say of themselves.

use super::Operator;
use crate::error::Error;
use crate::store::report::ServerReport;

impl Operator<'_> {
    /// What each server says of itself, by some round trips that change nothing; of a cluster those that have
    /// slots. Whether the login may run each of `commands` there, which are given as in `redis-cli`, by
    /// `ACL DRYRUN`.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when a server does not answer.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn servers(&self, commands: &[String]) -> Result<Vec<ServerReport>, Error> {
        let words = |command: &String| command.split_whitespace().map(str::to_owned).collect();
        let commands: Vec<Vec<String>> = commands.iter().map(words).collect();
        Ok(self.inner.store.reports(&commands).await?)
    }
}
