//! Triggers that say which keys and tags a changed row makes outdated.

use std::collections::BTreeSet;

use super::quote::{body, identifier, literal};
use super::template::Template;
use super::{Kit, TableError};

/// What a change of a table invalidates. Its triggers fire for whoever writes; for rows that logical replication
/// brings only those [per row](Table::per_row) do.
///
/// ```
/// use cached_redis_postgres::sql::{Kit, Table};
///
/// let users = Table::new("users").key("user:<id>").tag("team:<team_id>");
/// println!("{}", users.sql(&Kit::new())?);
/// # Ok::<(), cached_redis_postgres::sql::TableError>(())
/// ```
///
/// Templates are those of the attributes, with columns in the place of parameters: what stands there for
/// `<user.id>` is `<id>` here, and the key is the same. A column is of a type whose text is the same in both
/// languages: integers, `text`, `varchar`, `uuid`, `boolean`, enumerations; `NULL` is what `None` is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Table {
    name: String,
    keys: Vec<String>,
    tags: Vec<String>,
    per_row: bool,
}

/// The types of columns whose text is that of Rust's `Display`.
const TYPES: &str = "'int2', 'int4', 'int8', 'text', 'varchar', 'uuid', 'bool'";

/// The changes, and the rows that they know: of a row the names of its records, of a statement those of its
/// transition tables.
const CHANGES: [(&str, &[&str]); 3] = [
    ("INSERT", &["NEW"]),
    ("UPDATE", &["OLD", "NEW"]),
    ("DELETE", &["OLD"]),
];

impl Table {
    /// A table, as `name` in the schema `public` or as `schema.name`. The case counts.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            keys: Vec::new(),
            tags: Vec::new(),
            per_row: false,
        }
    }

    /// A change of a row invalidates the key of this template, by the old row and by the new one.
    pub fn key(mut self, template: impl Into<String>) -> Self {
        self.keys.push(template.into());
        self
    }

    /// The same of a tag. A row that moves from one group to another makes both outdated.
    pub fn tag(mut self, template: impl Into<String>) -> Self {
        self.tags.push(template.into());
        self
    }

    /// A message for each row, in the place of one for each statement: for a partitioned table, which is refused
    /// without it since who writes to a partition itself fires no trigger of the whole; for partitions and
    /// children of other tables, where PostgreSQL has no other triggers with the rows; and for a table that logical
    /// replication writes to.
    pub fn per_row(mut self) -> Self {
        self.per_row = true;
        self
    }

    /// The functions and triggers, which replace those of an earlier run. To be run as one transaction, after
    /// those of the kit.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub fn sql(&self, kit: &Kit) -> Result<String, TableError> {
        let triggers = Triggers::new(self, kit)?;
        let mut sql = triggers.check();
        match self.per_row {
            true => sql += &triggers.per_row(),
            false => {
                sql += &triggers.check_whole();
                CHANGES
                    .iter()
                    .for_each(|(change, rows)| sql += &triggers.per_statement(change, rows));
            }
        }
        Ok(sql + &triggers.truncate())
    }
}

struct Triggers<'a> {
    kit: &'a Kit,
    /// As SQL reads it.
    table: String,
    /// For names of functions.
    label: String,
    keys: Vec<Template>,
    tags: Vec<Template>,
}

impl<'a> Triggers<'a> {
    fn new(table: &Table, kit: &'a Kit) -> Result<Self, TableError> {
        let (schema, name) = table
            .name
            .split_once('.')
            .unwrap_or(("public", &table.name));
        let is_name = |name: &str| !name.is_empty() && !name.contains('\0');
        if !is_name(schema) || !is_name(name) || !is_name(&kit.schema) {
            return Err(TableError::Name);
        }
        if table.keys.is_empty() && table.tags.is_empty() {
            return Err(TableError::Nothing(table.name.clone()));
        }
        let parsed = |templates: &[String]| {
            templates
                .iter()
                .map(|it| Template::parse(it))
                .collect::<Result<_, _>>()
        };
        Ok(Self {
            kit,
            table: format!("{}.{}", identifier(schema), identifier(name)),
            label: format!("{schema}.{name}"),
            keys: parsed(&table.keys)?,
            tags: parsed(&table.tags)?,
        })
    }

    /// Refuses columns that are not there, or whose text is not the same in Rust.
    fn check(&self) -> String {
        let templates = self.keys.iter().chain(&self.tags);
        let columns: BTreeSet<_> = templates.flat_map(Template::columns).map(literal).collect();
        if columns.is_empty() {
            return String::new();
        }
        let columns = columns.into_iter().collect::<Vec<_>>().join(", ");
        let table = literal(&self.table);
        let check = body(&format!(
            "\nDECLARE wrong text;\n\
             BEGIN\n\
             \x20   SELECT string_agg(quote_ident(wanted) || coalesce(' of type ' || format_type(atttypid, atttypmod), ' is missing'), ', ')\n\
             \x20   INTO wrong FROM unnest(ARRAY[{columns}]) AS wanted\n\
             \x20   LEFT JOIN pg_attribute ON attrelid = {table}::regclass AND attname = wanted AND attnum > 0\n\
             \x20   LEFT JOIN pg_type own ON own.oid = atttypid\n\
             \x20   LEFT JOIN pg_type base ON base.oid = own.typbasetype\n\
             \x20   WHERE coalesce(base.typname, own.typname, '') NOT IN ({TYPES}) AND coalesce(own.typtype, 'b') <> 'e';\n\
             \x20   IF wrong IS NOT NULL THEN\n\
             \x20       RAISE EXCEPTION 'cached-redis: no template of {table_text} can use the column %', wrong USING HINT =\n\
             \x20           'integers, text, varchar, uuid, boolean and enumerations are the same in SQL and in Rust; for others '\n\
             \x20           'write a trigger of your own that calls cached_redis_invalidate';\n\
             \x20   END IF;\n\
             END ",
            table_text = self.text(),
        ));
        format!("DO {check};\n\n")
    }

    /// Refuses a partitioned table: nobody would be told of what is written to its partitions by their names.
    fn check_whole(&self) -> String {
        let check = body(&format!(
            "\nBEGIN\n\
             \x20   IF EXISTS (SELECT FROM pg_class WHERE oid = {}::regclass AND relkind = 'p') THEN\n\
             \x20       RAISE EXCEPTION 'cached-redis: {} is partitioned, and its partitions can be written to by their names' USING HINT =\n\
             \x20           'make its triggers per row: --per-row';\n\
             \x20   END IF;\n\
             END ",
            literal(&self.table),
            self.text(),
        ));
        format!("DO {check};\n\n")
    }

    /// The table in the format of a message.
    fn text(&self) -> String {
        self.label.replace('\'', "''").replace('%', "%%")
    }

    /// The name of a function, which has room for 63 bytes.
    fn function(&self, change: &str) -> String {
        let name = format!("cached_redis {} {}", change.to_lowercase(), self.label);
        let name = match name.len() > 63 {
            true => {
                let cut = (0..=46).rev().find(|at| name.is_char_boundary(*at));
                format!("{}_{:016x}", &name[..cut.unwrap_or(0)], fnv(&name))
            }
            false => name,
        };
        format!("{}.{}", identifier(&self.kit.schema), identifier(&name))
    }

    fn declare(&self, change: &str, code: &str) -> String {
        let function = self.function(change);
        let code = body(&format!("\nBEGIN\n{code}    RETURN NULL;\nEND "));
        format!(
            "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {code};\n"
        )
    }

    /// Fires also in a session that applies what another server has changed.
    fn trigger(&self, change: &str, on: &str, each: &str) -> String {
        let (table, function) = (&self.table, self.function(change));
        let name = identifier(&format!("cached_redis_{}", change.to_lowercase()));
        format!(
            "CREATE OR REPLACE TRIGGER {name} AFTER {on} ON {table} {each} EXECUTE FUNCTION {function}();\n\
             ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name};\n\n"
        )
    }

    /// Drops what an earlier run of the other kind has made.
    fn without(&self, changes: &[&str]) -> String {
        let drop = |change: &&str| {
            let name = identifier(&format!("cached_redis_{}", change.to_lowercase()));
            format!("DROP TRIGGER IF EXISTS {name} ON {};\n", self.table)
        };
        changes.iter().map(drop).collect()
    }

    fn array(&self, templates: &[Template], rows: &[&str]) -> String {
        let schema = &self.kit.schema;
        let rendered = rows
            .iter()
            .flat_map(|row| templates.iter().map(|it| it.of_row(row, schema)));
        format!("ARRAY[{}]::text[]", rendered.collect::<Vec<_>>().join(", "))
    }

    fn per_row(&self) -> String {
        let invalidate = format!("{}.cached_redis_invalidate", identifier(&self.kit.schema));
        let of = |(change, rows): &(&str, &[&str])| {
            let (keys, tags) = (self.array(&self.keys, rows), self.array(&self.tags, rows));
            format!(
                "    IF TG_OP = '{change}' THEN\n        PERFORM {invalidate}({keys}, {tags});\n    END IF;\n"
            )
        };
        let code: String = CHANGES.iter().map(of).collect();
        self.without(&["insert", "update", "delete"])
            + &self.declare("row", &code)
            + &self.trigger("row", "INSERT OR UPDATE OR DELETE", "FOR EACH ROW")
    }

    fn per_statement(&self, change: &str, rows: &[&str]) -> String {
        let schema = identifier(&self.kit.schema);
        let all = |templates: &[Template]| {
            let one = |row: &&str| {
                let each = templates
                    .iter()
                    .map(|it| it.of_row("changed", &self.kit.schema));
                let each =
                    each.map(|name| format!("SELECT {name} AS name FROM {row}_rows AS changed"));
                each.collect::<Vec<_>>()
            };
            let selects: Vec<_> = rows.iter().flat_map(one).collect();
            match selects.is_empty() {
                true => "'{}'::text[]".to_owned(),
                false => format!("ARRAY({})", selects.join("\n            UNION ")),
            }
        };
        let code = format!(
            "    PERFORM {schema}.cached_redis_invalidate(\n        {},\n        {});\n",
            all(&self.keys),
            all(&self.tags)
        );
        let tables = rows.iter().map(|row| format!("{row} TABLE AS {row}_rows"));
        let each = format!(
            "REFERENCING {} FOR EACH STATEMENT",
            tables.collect::<Vec<_>>().join(" ")
        );
        let without = if change == "INSERT" {
            self.without(&["row"])
        } else {
            String::new()
        };
        without + &self.declare(change, &code) + &self.trigger(change, change, &each)
    }

    /// No row is known then: all that the templates can render. Tags have no patterns.
    fn truncate(&self) -> String {
        let schema = identifier(&self.kit.schema);
        let array = |names: Vec<String>| format!("ARRAY[{}]::text[]", names.join(", "));
        let code = match self.tags.iter().all(Template::is_constant) {
            true => {
                let patterns = self
                    .keys
                    .iter()
                    .map(|key| literal(&key.pattern()))
                    .collect();
                let tags = self
                    .tags
                    .iter()
                    .map(|tag| literal(&tag.pattern()))
                    .collect();
                format!(
                    "    PERFORM {schema}.cached_redis_invalidate_matching({});\n    \
                     PERFORM {schema}.cached_redis_invalidate('{{}}', {});\n",
                    array(patterns),
                    array(tags)
                )
            }
            false => format!("    PERFORM {schema}.cached_redis_invalidate_everything();\n"),
        };
        self.declare("truncate", &code)
            + &self.trigger("truncate", "TRUNCATE", "FOR EACH STATEMENT")
    }
}

/// FNV-1a: the same on every machine and in every release.
fn fnv(text: &str) -> u64 {
    let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "made for the call")]
    fn sql(table: Table) -> String {
        table.sql(&Kit::new()).unwrap()
    }

    #[test]
    fn a_table_without_a_key_or_a_name_is_refused() {
        let of = |table: Table| table.sql(&Kit::new()).unwrap_err();
        assert_eq!(
            of(Table::new("users")),
            TableError::Nothing("users".to_owned())
        );
        for name in ["", ".users", "shop."] {
            assert_eq!(of(Table::new(name).key("user:<id>")), TableError::Name);
        }
    }

    #[test]
    fn names_are_quoted_whatever_is_in_them() {
        let sql = sql(Table::new("shop.my \"table\"").key("user:<my \"id\">"));
        assert!(sql.contains(r#"ON "shop"."my ""table""" "#), "{sql}");
        assert!(sql.contains(r#"changed."my ""id"""::text"#), "{sql}");
    }

    #[test]
    fn long_names_of_functions_stay_apart() {
        let function = |name: &str| {
            let table = Table::new(name).key("x:<id>");
            Triggers::new(&table, &Kit::new())
                .unwrap()
                .function("truncate")
        };
        let long = "a".repeat(60);
        let (one, other) = (function(&format!("{long}b")), function(&format!("{long}c")));
        assert!(
            one != other && one.len() <= "\"public\".\"\"".len() + 63,
            "{one}"
        );
    }

    #[test]
    fn a_truncation_is_everything_only_where_tags_depend_on_rows() {
        let everything = "cached_redis_invalidate_everything";
        assert!(sql(Table::new("t").key("a:<id>").tag("b:<id>")).contains(everything));
        let patterns = sql(Table::new("t").key("a:<id>").tag("b"));
        assert!(!patterns.contains(everything) && patterns.contains("ARRAY['a:*']"));
    }
}
