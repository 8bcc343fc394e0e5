//! Notes of several users on the web, kept in SQLite and cached.
//!
//! ```text
//! cargo run -p web
//! REDIS_URL=redis://127.0.0.1 cargo run -p web
//! ```
//!
//! * `notes.rs`: the queries, which is where the attributes are
//! * `app.rs`: the handlers, which know nothing of the cache but the header `x-cache`, and the layer that answers 304
//!
//! The page about web applications in the documentation of `cached-redis` goes through it.

mod app;
mod notes;

use std::env;
use std::error::Error;

use cached_redis::Cache;
use cached_redis_http::BuildId;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init(); // or the cache's warnings go nowhere
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "memory://".to_owned());
    let cache = Cache::builder().url(url).namespace("web").build().await?;
    cache.clone().install()?;

    let address = env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address).await?;
    greet(&address);
    let build = BuildId::of_executable()?;
    let router = app::router(notes::open().await?, cache.clone(), build);
    axum::serve(listener, router)
        .with_graceful_shutdown(async {
            // Without a signal to wait for, it runs until it is killed.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    cache.flush().await?; // what is still to be stored or invalidated
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program says where it is")]
fn greet(address: &str) {
    println!(
        "Listening on {address}. Try, twice each:
  curl -i -H 'x-user: ada' http://{address}/notes
  curl -i -H 'x-user: ada' http://{address}/notes/1
  curl -i -H 'x-user: ada' http://{address}/notes -d 'a new note'
  curl -i -H 'x-user: ada' http://{address}/notes/1/give/ben -X POST"
    );
}
