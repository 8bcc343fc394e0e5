//! What a database needs once: a publication, functions, and a slot.

use super::quote::{body, identifier, literal};
use crate::Error;
use crate::message::PREFIX;

/// What a database needs once.
///
/// ```
/// use cached_redis_postgres::sql::Kit;
///
/// let kit = Kit::new().slot("shop_cache")?;
/// println!("{}", kit.sql());
/// # Ok::<(), cached_redis_postgres::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Kit {
    pub(super) schema: String,
    slot: String,
    publication: String,
}

/// What a value must not bring into a key: as in `cached_redis::Key`.
const RESERVED: &str =
    r"[\u0001-\u0020%:*?<>{}\[\]\\\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]";

impl Default for Kit {
    fn default() -> Self {
        Self {
            schema: "public".to_owned(),
            slot: crate::feed::NAME.to_owned(),
            publication: crate::feed::NAME.to_owned(),
        }
    }
}

impl Kit {
    /// Functions in the schema `public`; a slot and a publication that are called `cached_redis`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The schema that the functions stand in, which must be there. All roles are granted its `USAGE`, as all that
    /// write to a table run its triggers.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// The name of the slot: another one for each namespace that reads this database.
    ///
    /// # Errors
    ///
    /// [`Error::Name`].
    pub fn slot(mut self, slot: impl Into<String>) -> Result<Self, Error> {
        self.slot = crate::feed::name(slot.into())?;
        Ok(self)
    }

    /// The name of the publication.
    ///
    /// # Errors
    ///
    /// [`Error::Name`].
    pub fn publication(mut self, publication: impl Into<String>) -> Result<Self, Error> {
        self.publication = crate::feed::name(publication.into())?;
        Ok(self)
    }

    /// All of it, for `psql`: first [`objects`](Self::objects), and at the end the slot, which no transaction
    /// that has written can make. What was committed before a new slot is not in it, so the first message there is
    /// that everything is outdated. A [feed](crate::Feed) makes a slot that is missing by itself.
    #[must_use]
    pub fn sql(&self) -> String {
        let (slot, objects) = (literal(&self.slot), self.objects());
        format!(
            "{objects}\n\
             -- A new slot does not know what was committed before.\n\
             WITH made AS MATERIALIZED (\n\
             \x20   SELECT pg_create_logical_replication_slot({slot}, 'pgoutput')\n\
             \x20   WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = {slot})\n\
             )\n\
             SELECT {}.cached_redis_invalidate_everything() FROM made;\n",
            identifier(&self.schema)
        )
    }

    /// An empty publication and the functions: for a migration.
    #[must_use]
    pub fn objects(&self) -> String {
        [self.checks(), self.publication_sql(), self.functions()].join("\n")
    }

    fn checks(&self) -> String {
        let checks = body(
            "\nBEGIN\n\
             \x20   IF current_setting('server_version_num')::int < 140000 THEN\n\
             \x20       RAISE EXCEPTION 'cached-redis: PostgreSQL 14 is the oldest that is supported';\n\
             \x20   END IF;\n\
             \x20   IF current_setting('server_encoding') <> 'UTF8' THEN\n\
             \x20       RAISE EXCEPTION 'cached-redis: the encoding of the database is not UTF8';\n\
             \x20   END IF;\n\
             \x20   IF current_setting('wal_level') <> 'logical' THEN\n\
             \x20       RAISE WARNING 'cached-redis: no slot can be made before wal_level = logical and a restart';\n\
             \x20   END IF;\n\
             \x20   IF current_setting('max_slot_wal_keep_size') = '-1' THEN\n\
             \x20       RAISE WARNING 'cached-redis: set max_slot_wal_keep_size: a slot that nobody reads fills the disk';\n\
             \x20   END IF;\n\
             END ",
        );
        format!("DO {checks};\n")
    }

    /// Without tables: no row is sent.
    fn publication_sql(&self) -> String {
        let (name, quoted) = (literal(&self.publication), identifier(&self.publication));
        let make = body(&format!(
            "\nBEGIN\n\
             \x20   IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = {name}) THEN\n\
             \x20       CREATE PUBLICATION {quoted};\n\
             \x20   END IF;\n\
             END "
        ));
        format!("DO {make};\n")
    }

    fn functions(&self) -> String {
        let schema = identifier(&self.schema);
        let (emit, prefix) = (format!("{schema}.cached_redis_emit"), literal(PREFIX));
        // A session may take backslashes for escapes.
        let (reserved, percent) = (literal(RESERVED), literal(r"%\1"));
        let escape = body(&format!(
            "\n    SELECT CASE WHEN value !~ {reserved} THEN value ELSE (\n\
             \x20       SELECT string_agg(CASE WHEN c ~ {reserved}\n\
             \x20           THEN upper(regexp_replace(encode(convert_to(c, 'UTF8'), 'hex'), '(..)', {percent}, 'g'))\n\
             \x20           ELSE c END, '' ORDER BY n)\n\
             \x20       FROM regexp_split_to_table(value, '') WITH ORDINALITY AS each(c, n)\n\
             \x20   ) END\n"
        ));
        let function = |head: &str, code: &str| {
            format!(
                "CREATE OR REPLACE FUNCTION {schema}.{head}\nLANGUAGE sql AS {};\n\n",
                body(&format!("\n    {code}\n"))
            )
        };
        let arrays = format!(
            "SELECT {emit}(jsonb_build_object(\n\
             \x20       'keys', array_remove(coalesce(keys, '{{}}'), NULL), 'tags', array_remove(coalesce(tags, '{{}}'), NULL)))\n\
             \x20   WHERE cardinality(array_remove(keys, NULL)) > 0 OR cardinality(array_remove(tags, NULL)) > 0"
        );
        let matching = format!(
            "SELECT {emit}(jsonb_build_object('patterns', array_remove(patterns, NULL)))\n\
             \x20   WHERE cardinality(array_remove(patterns, NULL)) > 0"
        );
        [
            format!(
                "CREATE OR REPLACE FUNCTION {schema}.cached_redis_escape(value text) RETURNS text\n\
                 LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS {escape};\n\n"
            ),
            function(
                "cached_redis_emit(message jsonb) RETURNS void",
                &format!("SELECT pg_logical_emit_message(true, {prefix}, message::text)"),
            ),
            function(
                "cached_redis_invalidate(keys text[], tags text[] DEFAULT '{}') RETURNS void",
                &arrays,
            ),
            function(
                "cached_redis_invalidate_matching(patterns text[]) RETURNS void",
                &matching,
            ),
            function(
                "cached_redis_invalidate_everything() RETURNS void",
                &format!("SELECT {emit}('{{\"everything\": true}}')"),
            ),
            format!(
                "GRANT EXECUTE ON FUNCTION {schema}.cached_redis_escape(text), {emit}(jsonb),\n\
                 \x20   {schema}.cached_redis_invalidate(text[], text[]),\n\
                 \x20   {schema}.cached_redis_invalidate_matching(text[]),\n\
                 \x20   {schema}.cached_redis_invalidate_everything() TO PUBLIC;\n"
            ),
            self.usage(),
        ]
        .concat()
    }

    /// Whoever writes to a table runs its triggers. In `public` all may do so, unless that was taken from them.
    fn usage(&self) -> String {
        match self.schema == "public" {
            true => String::new(),
            false => format!(
                "GRANT USAGE ON SCHEMA {} TO PUBLIC;\n",
                identifier(&self.schema)
            ),
        }
    }
}
