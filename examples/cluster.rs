//! A Redis Cluster: starts three servers, shows which of them has what, kills one, and goes on.
//!
//! ```text
//! cargo run --example cluster
//! ```
//!
//! It needs `redis-server` and `redis-cli`; without them there is nothing to see.

use std::process::{Child, Command, Stdio};
use std::{env, fs, thread, time};

use cached_redis::{Cache, CachedExt as _, invalidates, redis_cached};

const PORTS: [u16; 3] = [7101, 7102, 7103];

#[redis_cached(key = "price:<book>", ttl = "5m")]
async fn price(book: u32) -> String {
    format!("book {book}: {} cents", book * 100)
}

/// Their keys are on several servers, and yet removed as one thing.
#[invalidates("price:1", "price:2", "price:3", "price:4")]
async fn reprice() {}

struct Servers([Child; 3]);

impl Servers {
    fn start() -> std::io::Result<Self> {
        let start = |port: u16| {
            let dir = env::temp_dir().join(format!("cached-redis-example-{port}"));
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir)?;
            let port = port.to_string();
            let args = ["--port", &port, "--save", "", "--cluster-enabled", "yes"];
            let mut server = Command::new("redis-server");
            let server = server
                .args(args)
                .args(["--cluster-require-full-coverage", "no"]);
            server.current_dir(dir).stdout(Stdio::null()).spawn()
        };
        let servers = Self([start(PORTS[0])?, start(PORTS[1])?, start(PORTS[2])?]);
        let nodes = PORTS.map(|port| format!("127.0.0.1:{port}"));
        let mut create = Command::new("redis-cli");
        let create = create.args(["--cluster", "create"]).args(nodes);
        let create = create
            .arg("--cluster-yes")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        for _ in 0..100 {
            if create.status()?.success() {
                return Ok(servers);
            }
            thread::sleep(time::Duration::from_millis(100));
        }
        Err(std::io::ErrorKind::TimedOut.into())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.0
            .iter_mut()
            .for_each(|server| drop(server.kill().and_then(|()| server.wait())));
    }
}

async fn show(cache: &Cache) {
    for book in 1..=4 {
        let (price, info) = price(book).with_info().await;
        println!("{price:<20} {:?}", info.status());
    }
    cache.flush().await.expect("the fills are answered");
    for port in PORTS {
        let keys = Command::new("redis-cli")
            .args(["-p", &port.to_string(), "keys", "*price*"])
            .output();
        let keys = keys.map(|keys| String::from_utf8_lossy(&keys.stdout).replace('\n', " "));
        println!("  on {port}: {}", keys.unwrap_or_default());
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init(); // or the cache's warnings go nowhere
    let Ok(mut servers) = Servers::start() else {
        println!("no `redis-server` or no `redis-cli` here");
        return Ok(());
    };
    let url = format!(
        "redis+cluster://127.0.0.1:{},127.0.0.1:{}",
        PORTS[0], PORTS[1]
    );
    let cache = Cache::builder()
        .url(url)
        .namespace("cluster-example")
        .build()
        .await?;
    cache.clone().install()?;
    show(&cache).await;
    show(&cache).await;

    println!("\nafter an invalidation");
    reprice().await;
    show(&cache).await;

    println!("\nwithout {}", PORTS[2]);
    servers.0[2].kill()?;
    servers.0[2].wait()?;
    show(&cache).await;
    Ok(())
}
