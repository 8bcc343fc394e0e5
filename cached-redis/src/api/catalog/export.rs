//! The catalogue as a program has exported it, for tools that do not run the program.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A catalogue that a program has exported: its [`Catalog`](super::Catalog) as JSON. Fields that it does not know
/// are ignored.
///
/// ```standalone_crate
/// use cached_redis::catalog::Exported;
/// use cached_redis::{Cache, redis_cached};
///
/// #[redis_cached(ttl = 60, key = "user:<id>")]
/// async fn get_user(id: u64) -> String {
///     format!("user {id}")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = Cache::builder().url("memory://").build().await?;
/// let json = serde_json::to_string(&cache.catalog())?;
/// let catalog = Exported::from_json(&json)?;
/// assert_eq!(catalog.explain("get_user", &["42"])?.as_ref(), "user:42");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Exported {
    /// The cached functions, in the order of files and lines.
    pub functions: Vec<ExportedFunction>,
    /// What is wrong with the catalogue as a whole.
    #[serde(default)]
    pub problems: Vec<ExportedProblem>,
    /// Which options do harm together, as the cache of the program knew.
    #[serde(default)]
    pub advice: Vec<ExportedAdvice>,
}

/// One function of an [`Exported`] catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExportedFunction {
    /// Its path.
    pub function: String,
    /// The template of its keys.
    pub key: String,
    /// The templates of its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What it returns, as written.
    #[serde(default)]
    pub value: String,
    /// Its TTL in ms, if the attribute gives one.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
    /// The policy that the attribute names.
    #[serde(default)]
    pub policy: Option<String>,
    /// The codec that the attribute names.
    #[serde(default)]
    pub codec: Option<String>,
    /// Its parameters that are plain names, with their types as written.
    #[serde(default)]
    pub parameters: Vec<(String, String)>,
    /// Source file.
    #[serde(default)]
    pub file: String,
    /// Line of the attribute.
    #[serde(default)]
    pub line: u32,
    /// Who writes what it reads.
    #[serde(default)]
    pub writers: Vec<ExportedWriter>,
}

/// A function that writes what another one reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExportedWriter {
    /// Its path.
    pub function: String,
    /// What it does beside the plain invalidation.
    #[serde(default)]
    pub does: Vec<String>,
}

/// What is wrong with a function of an [`Exported`] catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExportedProblem {
    /// Its path.
    pub function: String,
    /// What is wrong.
    pub problem: String,
}

/// One piece of [`Advice`](super::Advice) of an [`Exported`] catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExportedAdvice {
    /// What it is about.
    pub kind: String,
    /// The function, if it is about one.
    #[serde(default)]
    pub function: Option<String>,
    /// What was found.
    pub finding: String,
    /// What to do about it.
    pub remedy: String,
}

impl Exported {
    /// Reads what a program has exported.
    ///
    /// # Errors
    ///
    /// When it is no JSON of a catalogue.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let problem = "is not the JSON of a `Catalog`";
        serde_json::from_str(json).map_err(|_| Error::setting("catalog", problem))
    }

    /// The function of this name, which may begin with its module.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`] and [`Error::AmbiguousFunction`].
    pub fn function(&self, name: &str) -> Result<&ExportedFunction, Error> {
        let is_named = |it: &&ExportedFunction| {
            let rest = it.function.strip_suffix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
        };
        let mut found: Vec<_> = self.functions.iter().filter(is_named).collect();
        if found.iter().any(|it| it.function == name) {
            found.retain(|it| it.function == name);
        }
        let function = name.to_owned();
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(Error::UnknownFunction { function }),
            several => Err(Error::AmbiguousFunction {
                function,
                candidates: several
                    .iter()
                    .map(|it| it.function.clone().into())
                    .collect(),
            }),
        }
    }
}
