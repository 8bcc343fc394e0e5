//! A real Prometheus for one test, and a page for it to scrape.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::eventually;

const MISSING: &str = "these tests start `prometheus` and `promtool`, which were not found: install them \
                       (`scripts/need-prometheus`, or `apt-get install prometheus`)";

/// Runs `promtool` on what is in `dashboards/`.
pub(crate) fn promtool(words: &[&str]) -> Output {
    let mut command = Command::new("promtool");
    command.args(words).current_dir(dashboards());
    command.output().expect(MISSING)
}

pub(crate) fn dashboards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

/// Serves what `page` gives as `/metrics`, for as long as its runtime lasts; the port.
pub(crate) async fn serve(
    content_type: &'static str,
    page: impl Fn() -> String + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let page = page();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                page.len()
            );
            let _ = stream.write_all((head + &page).as_bytes()).await;
            // Closed before it was read, what is written may be lost.
            let _ = stream.read(&mut request).await;
        }
    });
    port
}

/// Running; stopped when it is dropped.
pub(crate) struct Prometheus {
    child: Child,
    port: u16,
    dir: PathBuf,
}

impl Prometheus {
    /// Starts it with one target.
    pub(crate) async fn scraping(target: u16) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let name = format!("cached-redis-prometheus-{}-{port}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).expect("a directory for it");
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
             scrape_configs: [{{ job_name: it, static_configs: [{{ targets: ['127.0.0.1:{target}'] }}] }}]\n"
        );
        fs::write(dir.join("prometheus.yml"), config).expect("a file");
        let child = Command::new("prometheus")
            .arg(format!(
                "--config.file={}",
                dir.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect(MISSING);
        let prometheus = Self { child, port, dir };
        eventually("Prometheus", async || {
            prometheus.get("/-/ready").await.contains("200 OK")
        })
        .await;
        prometheus
    }

    /// What a query answers at the moment: the values of all series that are numbers.
    pub(crate) async fn query(&self, query: &str) -> Result<Vec<f64>, String> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}")).await;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let answer: Value =
            serde_json::from_str(body).map_err(|error| format!("{error}: {answer}"))?;
        let series = answer["data"]["result"].as_array();
        let series = series.ok_or_else(|| answer.to_string())?.iter();
        let values = series.filter_map(|one| one["value"][1].as_str()?.parse().ok());
        Ok(values.filter(|value: &f64| value.is_finite()).collect())
    }

    /// An answer with its head; empty if there is none.
    async fn get(&self, path: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)).await else {
            return String::new();
        };
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let mut answer = String::new();
        let sent = stream.write_all(request.as_bytes()).await;
        if sent.is_ok() {
            let _ = stream.read_to_string(&mut answer).await;
        }
        answer
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
