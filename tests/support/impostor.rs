//! A server that is not what it seems: says what a test makes it say.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Listens on a free port of the loopback interface until it is dropped.
pub(crate) struct Impostor {
    port: u16,
    task: AbortHandle,
}

/// What is answered to the words of a command.
type Reply = dyn Fn(&[&str]) -> String + Send + Sync;

#[derive(Clone)]
enum Part {
    TurnsAway(&'static str),
    Answers(Arc<Reply>),
}

impl Impostor {
    /// Says `greeting` to whoever connects, and closes the connection.
    pub(crate) async fn turning_away(greeting: &'static str) -> Self {
        Self::start(Part::TurnsAway(greeting)).await
    }

    /// Gives to each command the answer that `answer` has for its words.
    pub(crate) async fn answering(
        answer: impl Fn(&[&str]) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::start(Part::Answers(Arc::new(answer))).await
    }

    async fn start(part: Part) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(part.clone().play(BufStream::new(stream)));
            }
        });
        Self {
            port,
            task: task.abort_handle(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Part {
    async fn play(self, mut stream: BufStream<TcpStream>) -> Option<()> {
        let answer = match self {
            Self::TurnsAway(greeting) => return say(&mut stream, greeting).await,
            Self::Answers(answer) => answer,
        };
        loop {
            let words = command(&mut stream).await?;
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            say(&mut stream, &answer(&words)).await?;
        }
    }
}

async fn say(stream: &mut BufStream<TcpStream>, text: &str) -> Option<()> {
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

/// The words of the next command; `None` at the end.
async fn command(stream: &mut BufStream<TcpStream>) -> Option<Vec<String>> {
    let count = length(stream).await?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let mut word = vec![0; length(stream).await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
    Some(words)
}

/// The number behind `*` or `$`.
async fn length(stream: &mut BufStream<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim_end().get(1..)?.parse().ok()
}

/// `text` as RESP answers it.
pub(crate) fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}
