//! Why a command could not be done, and what to do about it.

use std::fmt;
use std::io;

use cached_redis::Error;
use cached_redis::catalog::ExplainError;

/// See the module. No message contains a password or a value.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What went wrong, and maybe what to do instead.
    Told {
        problem: String,
        help: Option<String>,
    },
    /// Whoever reads the output has gone.
    Closed,
}

impl Failure {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        let (problem, help) = (problem.into(), None);
        Self::Told { problem, help }
    }

    pub(crate) fn with_help(problem: impl Into<String>, help: impl Into<String>) -> Self {
        let (problem, help) = (problem.into(), Some(help.into()));
        Self::Told { problem, help }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told {
                problem,
                help: None,
            } => write!(f, "error: {problem}"),
            Self::Told {
                problem,
                help: Some(help),
            } => write!(f, "error: {problem}\nhelp: {help}"),
            Self::Closed => Ok(()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let help = match &error {
            Error::Setting { setting, .. } if setting == "namespace" => {
                "give --namespace NAME, or set CACHED_REDIS_NAMESPACE"
            }
            Error::Setting { setting, .. } if setting == "life" => {
                "give --for TIME, such as --for 10m"
            }
            Error::Setting { setting, .. } if setting == "pattern" => {
                "`purge namespace` removes everything"
            }
            Error::Address { .. } => "give --url URL, or set CACHED_REDIS_URL or REDIS_URL",
            Error::Connect { .. } => "is the address right, and may this machine reach it?",
            Error::UnknownFunction { .. } => "`catalog` lists the functions that a program has",
            Error::AmbiguousFunction { .. } => "give its module too",
            Error::Store(_) => "`doctor` tells how the servers get on, and --timeout waits longer",
            _ => return Self::new(error.to_string()),
        };
        Self::with_help(error.to_string(), help)
    }
}

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::new(format!("the output cannot be written: {error}")),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        match error.io_error_kind() {
            Some(kind) => io::Error::from(kind).into(),
            None => Self::new("the answer cannot be written as JSON"),
        }
    }
}
