//! The database: PostgreSQL where there is one, else a file of SQLite. One text of SQL serves both, with the types that
//! sqlx has for any database: of SQLite it takes no `BOOLEAN`.

use std::path::PathBuf;
use std::{env, fs, process};

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{AnyConnection, AnyPool, Executor as _, Result};

use crate::{goods, session};

pub(crate) type Db = AnyPool;
pub(crate) type Transaction = sqlx::Transaction<'static, sqlx::Any>;

/// `NUMBER` is what each calls a key that it counts up itself.
const SCHEMA: &str = "
    CREATE TABLE users (
        id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, password TEXT NOT NULL, is_admin BIGINT NOT NULL
    );
    CREATE TABLE products (
        id NUMBER, name TEXT NOT NULL, category TEXT NOT NULL, text TEXT NOT NULL,
        cents BIGINT NOT NULL, stock BIGINT NOT NULL CHECK (stock >= 0)
    );
    CREATE INDEX products_by_category ON products (category, name);
    CREATE TABLE carts (
        user_id BIGINT NOT NULL, product BIGINT NOT NULL, quantity BIGINT NOT NULL, PRIMARY KEY (user_id, product)
    );
    CREATE TABLE orders (id NUMBER, user_id BIGINT NOT NULL, cents BIGINT NOT NULL);
    CREATE INDEX orders_by_user ON orders (user_id);
    CREATE TABLE order_lines (
        order_id BIGINT NOT NULL, product BIGINT NOT NULL, quantity BIGINT NOT NULL, cents BIGINT NOT NULL
    );
";

/// Customers beside Ada and Ben, whom the traffic sends.
pub(crate) const CUSTOMERS: i64 = 16;

/// Opens the database, and fills it if nothing is there.
pub(crate) async fn open(url: &str) -> Result<Db> {
    install_default_drivers();
    let options = AnyPoolOptions::new().max_connections(8);
    let options = options.after_connect(|connection, _| Box::pin(prepare(connection)));
    let db = options.connect(url).await?;
    let is_there = sqlx::query("SELECT id FROM users LIMIT 1");
    if is_there.fetch_optional(&db).await.is_err() {
        fill(&db).await?;
    }
    Ok(db)
}

fn is_sqlite(connection: &AnyConnection) -> bool {
    connection.backend_name() == "SQLite"
}

/// Readers of SQLite do not wait for its one writer, and the file is gone with the program.
async fn prepare(connection: &mut AnyConnection) -> Result<()> {
    if is_sqlite(connection) {
        let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF";
        connection.execute(pragmas).await?;
    }
    Ok(())
}

/// All of it, or nothing.
async fn fill(db: &Db) -> Result<()> {
    let mut tx = db.begin().await?;
    let number = match is_sqlite(&tx) {
        true => "INTEGER PRIMARY KEY",
        false => "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    };
    for statement in SCHEMA.replace("NUMBER", number).split_terminator(';') {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::query(statement).execute(&mut *tx).await?;
    }
    let (clerk, customer) = tokio::join!(session::hash("lovelace"), session::hash("kite"));
    add_user(&mut tx, 1, "ada", &clerk, true).await?;
    add_user(&mut tx, 2, "ben", &customer, false).await?;
    for number in 1..=CUSTOMERS {
        let name = format!("customer-{number}");
        add_user(&mut tx, 2 + number, &name, &customer, false).await?;
    }
    for (category, name, cents, text) in goods::GOODS {
        let insert =
            "INSERT INTO products (name, category, text, cents, stock) VALUES ($1, $2, $3, $4, 40)";
        let insert = sqlx::query(insert).bind(name).bind(category);
        insert.bind(text).bind(cents).execute(&mut *tx).await?;
    }
    tx.commit().await
}

async fn add_user(
    tx: &mut Transaction,
    id: i64,
    name: &str,
    password: &str,
    is_admin: bool,
) -> Result<()> {
    let insert = sqlx::query("INSERT INTO users VALUES ($1, $2, $3, $4)");
    let insert = insert
        .bind(id)
        .bind(name)
        .bind(password)
        .bind(i64::from(is_admin));
    insert.execute(&mut **tx).await.map(drop)
}

/// A file of SQLite of this process, removed when it is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let file = format!("storefront-{}-{name}.sqlite", process::id());
        Self(env::temp_dir().join(file))
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.0.display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            // One that stays is the business of whoever cleans up temporary files.
            let _ = fs::remove_file(format!("{}{end}", self.0.display()));
        }
    }
}
