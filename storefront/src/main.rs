//! A shop on the web that is cached from its database to the browser.
//!
//! ```text
//! cargo run -p storefront
//! cargo run -p storefront -- --traffic 20      # customers and clerks for so many seconds, and what came of it
//! cargo run -p storefront -- --local           # product pages from the memory of the process; with --traffic, too
//! REDIS_URL=redis://127.0.0.1 DATABASE_URL=postgres://postgres@127.0.0.1/shop cargo run -p storefront
//! ```
//!
//! Where these are not set, the cache is in memory, and the database a file that is gone afterwards. `ADDRESS` is where
//! it listens, `ORIGIN` where browsers see it behind a proxy, `SESSION_SECRET` what signs sessions, 64 bytes or more.
//!
//! * `shop.rs`, `customer.rs`: the queries, which is where the attributes are
//! * `app.rs`: the routes, the layer that answers 304, the dashboard
//! * `browse.rs`, `basket.rs`, `admin.rs`: the handlers, which know nothing of the cache but for the commit of an order
//! * `session.rs`: who asks; `pages/`: what they see; `db.rs`, `goods.rs`: the database
//! * `traffic/`: what customers and clerks do, and the check of every price that a page shows

#![expect(
    clippy::print_stdout,
    reason = "a program says where it is, and what came of it"
)]

mod admin;
mod app;
mod basket;
mod browse;
mod customer;
mod db;
mod failure;
mod goods;
mod pages;
mod session;
mod settings;
mod shop;
mod traffic;

use std::error::Error;
use std::process::ExitCode;
use std::{env, io};

use axum::Router;
use cached_redis::Cache;
use cached_redis_http::BuildId;
use tokio::net::TcpListener;

use crate::app::App;
use crate::settings::{Settings, Task};

pub(crate) type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<ExitCode, Failed> {
    tracing_subscriber::fmt().with_writer(io::stderr).init(); // or the cache's warnings go nowhere
    let (task, settings) = Settings::read(env::args().skip(1), |name| env::var(name).ok())?;
    match task {
        Task::Open => open(&settings).await.map(|()| ExitCode::SUCCESS),
        Task::Traffic(time) => match traffic::run(&settings, time).await? {
            true => Ok(ExitCode::SUCCESS),
            false => Ok(ExitCode::FAILURE),
        },
    }
}

/// Serves until somebody presses Ctrl-C.
async fn open(settings: &Settings) -> Result<(), Failed> {
    let (cache, router) = shop(settings).await?;
    let listener = TcpListener::bind(&settings.address).await?;
    println!("The shop is open: http://{}", listener.local_addr()?);
    println!("Ada (password: lovelace) changes prices, Ben (password: kite) buys.");
    axum::serve(listener, router)
        .with_graceful_shutdown(async {
            // Without a signal to wait for, it runs until it is killed.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    cache.flush().await?; // what is still to be stored or invalidated
    Ok(())
}

/// All of the shop but its door.
pub(crate) async fn shop(settings: &Settings) -> Result<(Cache, Router), Failed> {
    let builder = Cache::builder().url(settings.redis.clone());
    let builder = builder
        .namespace(settings.namespace.clone())
        .local_staleness(settings::STALENESS);
    let cache = builder.deadline(settings::DEADLINE).build().await?;
    let app = App {
        db: db::open(&settings.database).await?,
        cache: cache.clone(),
        key: settings.key()?,
        origin: settings.origin.clone(),
        is_local: settings.is_local,
        nobody: session::hash("nobody has this one").await.into(),
    };
    let dashboard = app::dashboard(&app)?;
    Ok((
        cache,
        app::router(app, BuildId::of_executable()?, dashboard),
    ))
}
