//! Templates of keys and tags, as expressions over the columns of a row.
//!
//! What they render in the database must be what the attributes render in Rust, or the wrong key is
//! invalidated and nobody learns of it. So whatever cannot be the same is refused.

use super::TableError;
use super::quote::{identifier, literal};

/// `user:<id>`, with columns as placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    written: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Column(String),
}

impl Template {
    pub(super) fn parse(written: &str) -> Result<Self, TableError> {
        let mut parts = Vec::new();
        let mut rest = written;
        while let Some(at) = rest.find(['<', '>']) {
            parts.push(Part::Text(rest[..at].to_owned()));
            let placeholder = rest[at..]
                .strip_prefix('<')
                .and_then(|it| it.split_once('>'));
            let (column, after) = placeholder.ok_or(problem(written, UNCLOSED))?;
            parts.push(Part::Column(checked(written, column)?.to_owned()));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        let template = Self {
            written: written.to_owned(),
            parts,
        };
        template.check()?;
        Ok(template)
    }

    fn check(&self) -> Result<(), TableError> {
        let begins = match self.parts.first() {
            None => return Err(problem(&self.written, EMPTY)),
            Some(Part::Text(text)) => !text.starts_with('#'),
            Some(Part::Column(_)) => false,
        };
        let touch = self
            .parts
            .windows(2)
            .any(|pair| matches!(pair, [Part::Column(_), Part::Column(_)]));
        let mixed = self.parts.windows(3).any(|three| match three {
            [Part::Column(_), Part::Text(text), Part::Column(_)] => !text.contains(separates),
            _ => false,
        });
        match (begins, touch || mixed) {
            (false, _) => Err(problem(&self.written, BEGINNING)),
            (true, true) => Err(problem(&self.written, MIXED)),
            (true, false) => Ok(()),
        }
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Column(column) => Some(column.as_str()),
            Part::Text(_) => None,
        })
    }

    /// What it renders for the row of this name; `schema` is that of the kit.
    pub(super) fn of_row(&self, row: &str, schema: &str) -> String {
        let rendered = self.parts.iter().map(|part| match part {
            Part::Text(text) => literal(text),
            Part::Column(column) => {
                let value = format!("{row}.{}::text", identifier(column));
                format!(
                    "coalesce({}.cached_redis_escape({value}), '%none')",
                    identifier(schema)
                )
            }
        });
        rendered.collect::<Vec<_>>().join(" || ")
    }

    /// The pattern of all that it can render; itself where there is nothing to fill in.
    pub(super) fn pattern(&self) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Column(_) => "*",
        });
        parts.collect()
    }

    pub(super) fn is_constant(&self) -> bool {
        self.columns().next().is_none()
    }
}

const EMPTY: &str = "is empty: write something like `user:<id>`";
const UNCLOSED: &str = "has a stray `<` or `>`: write `<column>`";
const BEGINNING: &str =
    "does not begin with a text of its own: write something like `user:<id>`, and no `#` in front";
const MIXED: &str =
    "has two columns without a separator between them: write something like `<a>:<b>`";
const HASH: &str = "hashes a value, which cannot be done in SQL as in Rust: put the value into the key in plain, or name a tag";
const DEBUG: &str = "shows a value by its `Debug`, which SQL does not know: put the value into the key in plain, or name a tag";
const FORMAT: &str = "has an unknown format: write `<column>`";
const PATH: &str = "names a field: write the column in its place, like `<id>` for `<user.id>`";
const COLUMN: &str = "has a placeholder that is no name of a column: write `<column>`";

fn problem(template: &str, what: &'static str) -> TableError {
    TableError::Template {
        template: template.to_owned(),
        what,
    }
}

fn checked<'a>(template: &str, column: &'a str) -> Result<&'a str, TableError> {
    let what = match column.split_once(':') {
        Some((_, "hash")) => HASH,
        Some((_, "?")) => DEBUG,
        Some(_) => FORMAT,
        None if column.contains('.') => PATH,
        None if column.is_empty() || column.contains(['<', '\0']) => COLUMN,
        None => return Ok(column),
    };
    Err(problem(template, what))
}

/// Whether no value renders with this character in it.
fn separates(c: char) -> bool {
    c.is_whitespace() || c.is_control() || ":*?[]{}<>\\".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(template: &str) -> String {
        Template::parse(template).unwrap_err().to_string()
    }

    #[test]
    fn columns_are_quoted_escaped_and_told_from_null() {
        let template = Template::parse("user:<id>:it's").unwrap();
        assert_eq!(
            template.of_row("NEW", "public"),
            "'user:' || coalesce(\"public\".cached_redis_escape(NEW.\"id\"::text), '%none') || ':it''s'"
        );
        assert_eq!(template.pattern(), "user:*:it's");
        assert_eq!(template.columns().collect::<Vec<_>>(), ["id"]);
    }

    #[test]
    fn what_sql_cannot_render_is_refused_with_what_to_write_instead() {
        assert_eq!(
            told("q:<filter:hash>"),
            "the template `q:<filter:hash>` hashes a value, which cannot be done in SQL as in Rust: put the value \
             into the key in plain, or name a tag"
        );
        for (template, what) in [
            ("q:<x:?>", DEBUG),
            ("q:<x:y>", FORMAT),
            ("q:<user.id>", PATH),
            ("q:<>", COLUMN),
            ("q:<a<b>", COLUMN),
            ("q:<a", UNCLOSED),
            ("q:a>", UNCLOSED),
            ("", EMPTY),
            ("<id>", BEGINNING),
            ("#q:<id>", BEGINNING),
            ("q:<a><b>", MIXED),
            ("q:<a>-<b>", MIXED),
        ] {
            assert!(
                told(template).ends_with(what),
                "{template}: {}",
                told(template)
            );
        }
    }

    #[test]
    fn a_constant_is_a_key() {
        let template = Template::parse("rates").unwrap();
        assert!(template.is_constant());
        assert_eq!(template.of_row("NEW", "public"), "'rates'");
    }
}
