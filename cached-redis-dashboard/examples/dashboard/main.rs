//! A shop with some customers, and the page that shows how its cache gets on.
//!
//! ```text
//! cargo run -p cached-redis-dashboard --example dashboard
//! REDIS_URL=redis://127.0.0.1 cargo run -p cached-redis-dashboard --example dashboard
//! ```
//!
//! Then look at <http://127.0.0.1:3000/cache>. It needs no server: without `REDIS_URL` the cache lives in this
//! process. `ADDRESS` says where else the page is to be.

mod shop;

use std::env;
use std::error::Error;

use axum::Router;
use cached_redis::Cache;
use cached_redis_dashboard::Dashboard;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "memory://".to_owned());
    let cache = Cache::builder()
        .url(url)
        .namespace("shop")
        .guarded(true)
        .build()
        .await?;
    for customer in 0..24 {
        cache.spawn(shop::visit(customer));
    }

    let dashboard = Dashboard::builder(cache)
        // Whoever can reach the loopback interface may do everything, and the names are made up.
        .authorize(|_, _| true)
        .show_keys(true)
        .build()?;
    let app = Router::new().nest("/cache", dashboard.into_router());

    let address = env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address).await?;
    greet(&address);
    axum::serve(listener, app).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program says where it is")]
fn greet(address: &str) {
    println!("http://{address}/cache");
}
