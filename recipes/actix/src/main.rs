//! actix-web: one cache for all of its threads, each of which is a runtime of its own.
//!
//! ```text
//! cargo run -p recipe-actix
//! ```

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::rt::task::spawn_blocking;
use actix_web::{App, HttpResponse, HttpServer, web};
use cached_redis::{Cache, CachedExt as _, invalidates, redis_cached};

/// Stands for the pool of a database.
#[derive(Default)]
struct Db {
    price: AtomicU32,
    loads: AtomicU32,
}

/// In a worker a future need not be `Send`; that of a load has to be, since it may outlive its caller.
#[redis_cached(key = "price:<article>", ttl = "10m", skip(db))]
async fn price(db: &Db, article: u32) -> u32 {
    db.loads.fetch_add(1, Ordering::SeqCst);
    actix_web::rt::time::sleep(Duration::from_millis(20)).await; // SELECT …
    db.price.load(Ordering::SeqCst) + article
}

#[invalidates("price:<article>")]
async fn set_price(db: &Db, article: u32, price: u32) {
    db.price.store(price - article, Ordering::SeqCst); // UPDATE …
}

async fn show(db: web::Data<Db>, article: web::Path<u32>) -> HttpResponse {
    let (price, info) = price(&db, *article).with_info().await;
    let status = format!("{:?}", info.status()).to_lowercase();
    HttpResponse::Ok()
        .insert_header(("x-cache", status))
        .body(price.to_string())
}

async fn change(db: web::Data<Db>, path: web::Path<(u32, u32)>) -> HttpResponse {
    let (article, price) = path.into_inner();
    set_price(&db, article, price).await;
    HttpResponse::NoContent().finish()
}

const PRICE: &str = "/prices/7";

/// The response as text, over a connection of its own, so that any worker may answer.
async fn send(address: SocketAddr, method: &'static str, path: &'static str) -> String {
    let exchange = move || {
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"
        )?;
        let mut response = String::new();
        stream.read_to_string(&mut response).map(|_| response)
    };
    spawn_blocking(exchange)
        .await
        .expect("it does not panic")
        .expect("the server answers")
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Built here, in the runtime that outlives the workers, and installed for all of them.
    let cache = Cache::builder().url("memory://").build().await?;
    cache.clone().install()?;

    let db = web::Data::new(Db::default());
    let shared = db.clone();
    let app = move || {
        let app = App::new()
            .app_data(shared.clone())
            .route("/prices/{article}", web::get().to(show));
        app.route("/prices/{article}/{price}", web::put().to(change))
    };
    let server = HttpServer::new(app)
        .workers(2)
        .disable_signals()
        .bind(("127.0.0.1", 0))?;
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);

    // Whichever workers these come to: one load.
    let asked = (0..20).map(|_| actix_web::rt::spawn(send(address, "GET", PRICE)));
    for answer in asked.collect::<Vec<_>>() {
        assert!(answer.await?.ends_with("\r\n\r\n7"));
    }
    assert_eq!(db.loads.load(Ordering::SeqCst), 1);
    let again = send(address, "GET", PRICE).await;
    assert!(again.contains("x-cache: hit"), "{again}");

    let changed = send(address, "PUT", "/prices/7/1250").await;
    assert!(changed.starts_with("HTTP/1.1 204"), "{changed}");
    for _ in 0..4 {
        let price = send(address, "GET", PRICE).await;
        assert!(price.ends_with("\r\n\r\n1250"), "{price}");
    }
    println!("actix-web: 20 requests to two workers, one load; a change is seen by both");
    handle.stop(true).await;
    cache.flush().await?;
    Ok(())
}
