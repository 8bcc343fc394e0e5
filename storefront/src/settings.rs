//! What the command line and the environment say.

use std::process;
use std::time::Duration;

use axum_extra::extract::cookie::Key;

use crate::Failed;
use crate::db::Scratch;

/// How late a price may be that is served from process memory.
pub(crate) const STALENESS: Duration = Duration::from_millis(500);

/// Prices are checked here, not the patience of the machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(2);

const USAGE: &str = "usage: storefront [--local] [--traffic [SECONDS]]";

pub(crate) enum Task {
    Open,
    Traffic(Duration),
}

/// Neither `Debug` nor told anywhere: the addresses may hold passwords.
pub(crate) struct Settings {
    pub(crate) redis: String,
    pub(crate) database: String,
    pub(crate) namespace: String,
    pub(crate) address: String,
    pub(crate) origin: Option<String>,
    pub(crate) secret: String,
    pub(crate) is_local: bool,
    /// The database, where none is named.
    _scratch: Option<Scratch>,
}

impl Settings {
    pub(crate) fn read(
        arguments: impl Iterator<Item = String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(Task, Self), Failed> {
        let (task, is_local) = parse(arguments)?;
        let (database, scratch) = match variable("DATABASE_URL") {
            Some(url) => (url, None),
            None => {
                let scratch = Scratch::new("shop");
                (scratch.url(), Some(scratch))
            }
        };
        let own = || match &scratch {
            // A database that is new must not meet the entries of another.
            Some(_) => format!("storefront-{}", process::id()),
            None => "storefront".to_owned(),
        };
        let settings = Self {
            redis: variable("REDIS_URL").unwrap_or_else(|| "memory://".to_owned()),
            namespace: variable("NAMESPACE").unwrap_or_else(own),
            address: variable("ADDRESS").unwrap_or_else(|| "127.0.0.1:3000".to_owned()),
            origin: variable("ORIGIN"),
            secret: variable("SESSION_SECRET").unwrap_or_else(new_secret),
            database,
            is_local,
            _scratch: scratch,
        };
        settings.key()?;
        Ok((task, settings))
    }

    pub(crate) fn key(&self) -> Result<Key, Failed> {
        let key = Key::try_from(self.secret.as_bytes());
        key.map_err(|_| "`SESSION_SECRET` has to be 64 bytes or more, of random characters".into())
    }

    /// For a second process of the same shop, on a port of its own.
    pub(crate) fn variables(&self) -> [(&str, &str); 5] {
        [
            ("REDIS_URL", &self.redis),
            ("DATABASE_URL", &self.database),
            ("NAMESPACE", &self.namespace),
            ("SESSION_SECRET", &self.secret),
            ("ADDRESS", "127.0.0.1:0"),
        ]
    }
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<(Task, bool), Failed> {
    let mut arguments = arguments.peekable();
    let (mut task, mut is_local) = (Task::Open, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--local" => is_local = true,
            "--traffic" => {
                let seconds = arguments.next_if(|next| !next.starts_with("--"));
                let seconds = seconds
                    .map_or(Ok(20), |seconds| seconds.parse())
                    .map_err(|_| USAGE)?;
                task = Task::Traffic(Duration::from_secs(seconds));
            }
            _ => return Err(USAGE.into()),
        }
    }
    Ok((task, is_local))
}

/// Sessions end with the program.
fn new_secret() -> String {
    Key::generate()
        .master()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, secret: Option<&str>) -> Result<(Task, Settings), String> {
        let words = line.split_whitespace().map(str::to_owned);
        let variable = |name: &str| {
            secret
                .filter(|_| name == "SESSION_SECRET")
                .map(str::to_owned)
        };
        Settings::read(words, variable).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_understood_is_answered_by_what_to_write() {
        for line in ["traffic", "--traffic ten", "--traffic 5 6", "--help"] {
            assert_eq!(read(line, None).err().as_deref(), Some(USAGE), "{line}");
        }
        let told = read("", Some("short")).err().unwrap_or_default();
        assert!(
            told.contains("64 bytes") && !told.contains("short"),
            "{told}"
        );
    }

    #[test]
    fn seconds_and_local_may_be_said_in_either_order() {
        for line in ["--local --traffic 3", "--traffic 3 --local"] {
            let (task, settings) = read(line, None).unwrap();
            assert!(matches!(task, Task::Traffic(time) if time.as_secs() == 3));
            assert!(settings.is_local);
        }
    }
}
