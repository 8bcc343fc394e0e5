//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

/// See what stands in a cache of cached-redis, and clear it.
///
/// Keys, tags and patterns are given without the namespace.
///
/// Exit codes: 0, done; 1, the answer is bad news (`doctor` found an error, two catalogues differ, nothing stands
/// under a key, there are dead letters); 2, it could not be done.
#[derive(Debug, Parser)]
#[command(name = "cached-redis", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the cache is.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Address of the store, as the program gives it: redis://, rediss://, redis+unix://, redis+cluster://,
    /// redis+sentinel:// and their relatives. Without it, that in REDIS_URL. It may hold a password: better in the
    /// environment than among the arguments, which others can see.
    #[arg(
        short,
        long,
        global = true,
        env = "CACHED_REDIS_URL",
        hide_env_values = true
    )]
    pub(crate) url: Option<String>,
    /// Namespace of the cache, as the program gives it.
    #[arg(short, long, global = true, env = "CACHED_REDIS_NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Catalogue of the program, as JSON: `serde_json::to_string(&cache.catalog())`. It tells which function has a
    /// key, and which tags.
    #[arg(short, long, global = true, env = "CACHED_REDIS_CATALOG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) catalog: Option<PathBuf>,
    /// Certificate of the authority that is trusted instead of those of the system, in PEM form.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tls_ca: Option<PathBuf>,
    /// How long to wait for an answer.
    #[arg(long, global = true, default_value = "5s", value_name = "TIME", value_parser = time)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell what stands under a key, and whether a reader would take it.
    Inspect(Inspect),
    /// List keys: what their headers say, without their values.
    Ls(Ls),
    /// Tell which key a function has for given arguments. Asks no server.
    Explain(Explain),
    /// Remove entries, as writers do: what was loaded before is served by nobody afterwards.
    ///
    /// Tombstones of writers under way are spared. `--dry-run` tells what would go. More than 1,000 keys, and
    /// everything, need `--yes`; on a terminal they are asked for.
    Purge(Purge),
    /// Show or set how much a function uses the cache, in every process and for a time.
    ///
    /// Processes follow within 5 s. Writers invalidate in every mode.
    Mode(Mode),
    /// Print invalidations as they are published.
    Tail(Tail),
    /// Writes of a queue that have failed for good: see them, put them back, or drop them.
    DeadLetters(DeadLetters),
    /// Print a catalogue, or compare two.
    #[command(args_conflicts_with_subcommands = true)]
    Catalog(Catalog),
    /// Look for what is wrong with the servers, the login and the entries.
    Doctor(Doctor),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page, in roff.
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The key.
    pub(crate) key: String,
    /// Do not print the value.
    #[arg(long)]
    pub(crate) no_value: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Keys that match this: `*` stands for any text.
    #[arg(default_value = "*")]
    pub(crate) pattern: String,
    /// Count keys and bytes of each function, instead of listing keys.
    #[arg(long)]
    pub(crate) by_function: bool,
    /// What comes first: the largest, the oldest, or the one that ends first.
    #[arg(long, value_enum, default_value_t = Order::Key)]
    pub(crate) sort: Order,
    /// How many keys to list at most.
    #[arg(long, default_value_t = 1000)]
    pub(crate) limit: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Order {
    Key,
    Size,
    Age,
    Ttl,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The function, with or without its module.
    pub(crate) function: String,
    /// What its key is made of, in the order of the parameters, or as NAME=VALUE. Of an `Option`, `None` or the
    /// value.
    #[arg(allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Purge {
    #[command(subcommand)]
    pub(crate) what: Target,
    /// Tell what would go, and change nothing.
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Do not ask.
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Target {
    /// Entries under keys.
    Key {
        /// The keys.
        #[arg(required = true)]
        keys: Vec<String>,
    },
    /// All entries that carry a tag.
    Tag {
        /// The tags.
        #[arg(required = true)]
        tags: Vec<String>,
    },
    /// All entries under keys that match a pattern.
    Pattern {
        /// `*` stands for any text.
        pattern: String,
    },
    /// All entries of a function. Needs the catalogue.
    Function {
        /// Its name, with or without its module.
        function: String,
    },
    /// Everything.
    Namespace,
}

#[derive(Debug, Args)]
pub(crate) struct Mode {
    /// The function, with or without its module. Without one, all that is set is shown.
    pub(crate) function: Option<String>,
    /// How much it uses the cache; `reset`: as its program says. Without it, what is set is shown.
    #[arg(value_enum)]
    pub(crate) mode: Option<Switch>,
    /// For how long: at most 30d.
    #[arg(long = "for", value_name = "TIME", default_value = "1d", value_parser = time)]
    pub(crate) life: Duration,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
    Shadow,
    Reset,
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// Read the durable stream, as a consumer of this group: what it has not read yet, and what comes.
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Name of the consumer.
    #[arg(long, default_value = "cached-redis-cli", requires = "group")]
    pub(crate) consumer: String,
    /// Say that each event was dealt with: nobody of the group gets it again.
    #[arg(long, requires = "group")]
    pub(crate) ack: bool,
    /// A new group begins with the oldest event that is kept.
    #[arg(long, requires = "group")]
    pub(crate) from_start: bool,
    /// End after so many.
    #[arg(long)]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    pub(crate) what: Letters,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Letters {
    /// How many writes wait, and each dead letter. Exits with 1 if there is one.
    List {
        /// The queue, as its functions name it.
        queue: String,
    },
    /// Put all dead letters of a key back to the end of the queue, in their order.
    Retry {
        /// The queue, as its functions name it.
        queue: String,
        /// The key.
        key: String,
    },
    /// Forget the oldest dead letter of a key: this write is lost.
    Drop {
        /// The queue, as its functions name it.
        queue: String,
        /// The key.
        key: String,
        /// Do it.
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Catalog {
    /// The catalogue; else that of `--catalog`.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) what: Option<CatalogCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Tell what a new release reads and writes otherwise.
    Diff {
        /// The catalogue of the old release.
        #[arg(value_hint = ValueHint::FilePath)]
        old: PathBuf,
        /// That of the new one.
        #[arg(value_hint = ValueHint::FilePath)]
        new: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// What the programs use beside plain functions, with commas between.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) uses: Vec<Feature>,
    /// What the programs say of `on_failover`.
    #[arg(long, value_enum, default_value_t = OnFailover::Replay)]
    pub(crate) on_failover: OnFailover,
    /// How many keys of the namespace to look at.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) sample: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Feature {
    /// `tags`.
    Tags,
    /// `guard` and `replica_lag`.
    Guard,
    /// `local`.
    Local,
    /// `update`.
    Update,
    /// `lock`.
    Lock,
    /// Events as they come.
    Events,
    /// Events that wait for their consumer.
    DurableEvents,
    /// `#[write_behind]`.
    WriteBehind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnFailover {
    Ttl,
    Replay,
    Epoch,
}

fn time(text: &str) -> Result<Duration, String> {
    let help = "write a number and a unit, such as 10m, 1h 30m or 500ms";
    humantime::parse_duration(text).map_err(|_| help.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn what_can_be_typed_fits_together() {
        Arguments::command().debug_assert();
    }
}
