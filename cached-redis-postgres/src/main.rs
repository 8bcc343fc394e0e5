//! Prints the SQL that lets a database say what it changes.

use std::io::{self, Write as _};
use std::process::ExitCode;

use cached_redis_postgres::sql::{APPLIED, Kit, Table};
use clap::{Args, Parser, Subcommand};

/// Prints the SQL that lets a PostgreSQL database say what it changes. It connects to nothing:
/// `cached-redis-postgres sql | psql …`.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The publication, the functions and the slot: once per database, and again after an update.
    Sql {
        #[command(flatten)]
        place: Place,
        /// The slot: another one for each namespace that follows the database.
        #[arg(long, default_value = "cached_redis")]
        slot: String,
        /// The publication, which has no tables.
        #[arg(long, default_value = "cached_redis")]
        publication: String,
        /// Leaves the slot out, as a migration in a transaction has to; a feed makes it by itself.
        #[arg(long)]
        without_slot: bool,
    },
    /// The triggers of a table.
    Triggers {
        #[command(flatten)]
        place: Place,
        /// The table, as `name` in the schema public or as `schema.name`.
        table: String,
        /// A key that each changed row makes outdated, such as 'user:<id>', with columns as placeholders.
        #[arg(long)]
        key: Vec<String>,
        /// The same of a tag, such as 'team:<team_id>'.
        #[arg(long)]
        tag: Vec<String>,
        /// A message for each row in the place of one for each statement: for partitions.
        #[arg(long)]
        per_row: bool,
    },
    /// The table of the writes that were applied, for write-behind.
    Applied,
}

#[derive(Args)]
struct Place {
    /// The schema that the functions stand in.
    #[arg(long, default_value = "public")]
    schema: String,
}

impl What {
    fn sql(self) -> Result<String, Box<dyn std::error::Error>> {
        match self {
            Self::Sql {
                place,
                slot,
                publication,
                without_slot,
            } => {
                let kit = Kit::new()
                    .schema(place.schema)
                    .slot(slot)?
                    .publication(publication)?;
                Ok(if without_slot {
                    kit.objects()
                } else {
                    kit.sql()
                })
            }
            Self::Triggers {
                place,
                table,
                key,
                tag,
                per_row,
            } => {
                let table = key.into_iter().fold(Table::new(table), Table::key);
                let table = tag.into_iter().fold(table, Table::tag);
                let table = if per_row { table.per_row() } else { table };
                Ok(table.sql(&Kit::new().schema(place.schema))?)
            }
            Self::Applied => Ok(APPLIED.to_owned()),
        }
    }
}

fn main() -> ExitCode {
    match Arguments::parse().what.sql() {
        // Whoever reads it may have read enough.
        Ok(sql) => match io::stdout().write_all(sql.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(&error),
            _ => ExitCode::SUCCESS,
        },
        Err(error) => fail(&*error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    // A closed stderr is no reason to panic.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(2)
}
