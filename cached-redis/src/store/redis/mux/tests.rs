use std::future::poll_fn;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo};
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinSet;

use super::*;
use crate::util::background::Background;

type Read = Option<Result<Option<Bytes>, StoreError>>;

async fn read(batches: &Batches, key: &str) -> Read {
    let join = poll_fn(|context| Poll::Ready(batches.join(&[key], context.waker()))).await;
    let mut join = join.unwrap();
    let mut answer = None;
    let ended = poll_fn(|context| join.poll(context, |got| answer = got)).await;
    ended.map(|ended| ended.map(|()| answer))
}

/// A mux whose way to the server has room for so many bytes.
fn muxed(room: usize) -> (Mux<DuplexStream>, Arc<Batches>, DuplexStream) {
    let (ours, server) = duplex(room);
    let batches = Arc::<Batches>::default();
    let mux = Mux::new(ours, Arc::clone(&batches));
    batches.start(mux.number());
    (mux, batches, server)
}

/// Once to gather those who are ready, and once to send.
async fn send(mux: &mut Mux<DuplexStream>) {
    for _ in 0..2 {
        let flushed = poll_fn(|context| Pin::new(&mut *mux).poll_flush(context));
        flushed.await.unwrap();
    }
}

/// One turn of the client's driver; whether there is something for the client.
async fn turn(mux: &mut Mux<DuplexStream>, client: &mut ReadBuf<'_>) -> bool {
    poll_fn(|context| Poll::Ready(Pin::new(&mut *mux).poll_read(context, client).is_ready())).await
}

/// A client whose way to the server has room for so many bytes.
async fn client(
    room: usize,
) -> (
    MultiplexedConnection,
    Background,
    Arc<Batches>,
    DuplexStream,
) {
    let (mux, batches, server) = muxed(room);
    let info = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP2)
        .set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let (client, driver) = MultiplexedConnection::new_with_config(&info, mux, config)
        .await
        .unwrap();
    (client, Background(tokio::spawn(driver)), batches, server)
}

/// The next command.
async fn command(server: &mut DuplexStream, received: &mut Vec<u8>) -> Option<Vec<String>> {
    loop {
        if let (end, Some(_)) = Ends::default().find(received).unwrap() {
            let command = String::from_utf8(received.drain(..end).collect()).unwrap();
            let words = command.split("\r\n").skip(2).step_by(2);
            return Some(words.map(str::to_owned).collect());
        }
        if server.read_buf(received).await.ok()? == 0 {
            return None;
        }
    }
}

/// Answers each command by its own words, in all forms that there are.
async fn echo(mut server: DuplexStream) {
    let mut received = Vec::new();
    while let Some(words) = command(&mut server, &mut received).await {
        let strings = words[1..].iter().map(|word| match word.as_str() {
            "missing" => "$-1\r\n".to_owned(),
            word => format!("${}\r\n{word}\r\n", word.len()),
        });
        let strings: String = strings.collect();
        let reply = match words[0].as_str() {
            "GET" => strings,
            "MGET" => format!("*{}\r\n{strings}", words.len() - 1),
            _ => format!("*2\r\n*1\r\n:{}\r\n$3\r\n\r\n+\r\n", words[1]),
        };
        server.write_all(reply.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn the_client_and_every_reader_get_their_own_answers_wherever_bytes_are_cut() {
    for room in [1, 2, 3, 7, 64, 4096] {
        let (client, _driver, batches, server) = client(room).await;
        let _server = Background(tokio::spawn(echo(server)));
        let mut all = JoinSet::new();
        for n in 0..200_usize {
            let (mut client, batches) = (client.clone(), Arc::clone(&batches));
            all.spawn(async move {
                if n.is_multiple_of(3) {
                    let mut echo = redis::pipe();
                    echo.cmd("A").arg(n).cmd("B").arg(n + 1);
                    let answers: Vec<((usize,), String)> =
                        echo.query_async(&mut client).await.unwrap();
                    let rest = "\r\n+".to_owned();
                    assert_eq!(answers, [((n,), rest.clone()), ((n + 1,), rest)]);
                }
                let key = "k".repeat(n);
                let answer = read(&batches, &key).await.unwrap();
                assert_eq!(answer, Ok(Some(Bytes::from(key))));
                assert_eq!(read(&batches, "missing").await.unwrap(), Ok(None));
            });
        }
        all.join_all().await;
    }
}

#[tokio::test]
async fn a_read_that_is_given_up_before_it_can_be_written_is_not_sent() {
    let (_client, _driver, batches, mut server) = client(1).await;
    let first = tokio::spawn({
        let batches = Arc::clone(&batches);
        async move { read(&batches, "a").await }
    });
    let let_others_go_on = async || {
        for _ in 0..10 {
            yield_now().await;
        }
    };
    let_others_go_on().await;
    let given_up = poll_fn(|context| Poll::Ready(batches.join(&["b"], context.waker()))).await;
    let_others_go_on().await;
    batches.late(&given_up.unwrap());
    let mut received = Vec::new();
    let commands = async {
        for expected in ["a", "c"] {
            let words = command(&mut server, &mut received).await.unwrap();
            assert_eq!(words[1..], [expected]);
            let reply = b"$1\r\n1\r\n";
            server
                .write_all(if words[0] == "GET" {
                    reply
                } else {
                    b"*1\r\n$1\r\n1\r\n"
                })
                .await
                .unwrap();
        }
    };
    let reads = async { (first.await.unwrap(), read(&batches, "c").await) };
    assert_eq!(tokio::join!(reads, commands).0, (is("1"), is("1")));
}

#[tokio::test]
async fn nothing_comes_into_the_middle_of_a_message_of_the_client() {
    const MESSAGE: &[u8] = b"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n";
    let (mut mux, batches, mut server) = muxed(MESSAGE.len() - 4);
    let _read = poll_fn(|context| Poll::Ready(batches.join(&["a"], context.waker()))).await;
    let written = mux.write(MESSAGE).await.unwrap();
    assert!(written < MESSAGE.len());
    let mut received = vec![0; written];
    // There would be room for a command of ours.
    server.read_exact(&mut received).await.unwrap();
    mux.flush().await.unwrap();
    mux.write_all(&MESSAGE[written..]).await.unwrap();
    mux.flush().await.unwrap();
    server.read_buf(&mut received).await.unwrap();
    assert!(received.starts_with(MESSAGE), "{}", received.escape_ascii());
    assert!(received.ends_with(b"GET\r\n$1\r\na\r\n"));
}

/// What two readers get, the first of them alone, if the server says this.
async fn answered(replies: &[u8]) -> [Read; 2] {
    let (_client, _driver, batches, mut server) = client(4096).await;
    let answer = async {
        let mut received = Vec::new();
        for _ in 0..2 {
            command(&mut server, &mut received).await.unwrap();
        }
        server.write_all(replies).await.unwrap();
    };
    let reads = async { tokio::join!(read(&batches, "a"), read(&batches, "b")) };
    let ((first, second), ()) = tokio::join!(reads, answer);
    [first, second]
}

fn is(text: &'static str) -> Read {
    Some(Ok(Some(Bytes::from_static(text.as_bytes()))))
}

#[tokio::test]
async fn what_nobody_asked_for_goes_to_the_client_and_moves_no_answer() {
    let replies = b">2\r\n+invalidate\r\n_\r\n$1\r\n1\r\n>1\r\n+x\r\n*1\r\n$1\r\n2\r\n";
    assert_eq!(answered(replies).await, [is("1"), is("2")]);
    let replies = b">1\r\n+x\r\n+first\r\n>1\r\n+x\r\n$1\r\n2\r\n";
    let (client, reader) = answered_in_turn(replies).await;
    assert_eq!((client.unwrap(), reader), ("first".to_owned(), is("2")));
}

#[tokio::test]
async fn an_error_is_that_of_its_command_alone() {
    let error = |code: &str| Some(Err(reply::refusal(code)));
    let replies = b"-LOADING Redis is loading\r\n*1\r\n$1\r\n2\r\n";
    assert_eq!(answered(replies).await, [error("LOADING"), is("2")]);
    // Several keys at once are refused, and so each is asked for again.
    let replies = b"-NOPERM a\r\n-NOPERM b\r\n";
    assert_eq!(answered(replies).await, [error("NOPERM"), None]);
}

#[tokio::test]
async fn an_answer_of_another_form_is_an_error_of_its_command_alone() {
    let odd = || Some(Err(StoreError::Answer));
    for first in [
        &b"*1\r\n$1\r\n1\r\n"[..],
        b"*0\r\n",
        b"*2\r\n$1\r\n1\r\n_\r\n",
    ] {
        let replies = [first, b"*1\r\n$1\r\n2\r\n"].concat();
        assert_eq!(answered(&replies).await, [odd(), is("2")]);
    }
    for second in [
        &b"$1\r\n2\r\n"[..],
        b"*1\r\n-ERR upstream\r\n",
        b"*2\r\n$1\r\n2\r\n$1\r\n3\r\n",
        b"*0\r\n",
    ] {
        let replies = [b"$1\r\n1\r\n", second].concat();
        assert_eq!(answered(&replies).await, [is("1"), odd()]);
    }
}

#[tokio::test]
async fn what_has_no_end_that_can_be_known_ends_the_connection() {
    for replies in [
        &b"+OK\r\n"[..],
        b"?\r\n",
        b"$1\r\n1\r\n*1\r\n*1\r\n$1\r\n2\r\n",
    ] {
        let [_, second] = answered(replies).await;
        assert_eq!(second, Some(Err(StoreError::Lost)), "{replies:?}");
    }
}

/// What the client and a reader behind it get, if the server says this.
async fn answered_in_turn(replies: &[u8]) -> (redis::RedisResult<String>, Read) {
    let (mut client, _driver, batches, mut server) = client(4096).await;
    let mut received = Vec::new();
    let ours = async {
        let words = command(&mut server, &mut received).await.unwrap();
        assert_eq!(words, ["FIRST"]);
        let answer = async {
            assert!(command(&mut server, &mut received).await.is_some());
            server.write_all(replies).await.unwrap();
        };
        tokio::join!(read(&batches, "a"), answer).0
    };
    let first = redis::cmd("FIRST");
    tokio::join!(first.query_async(&mut client), ours)
}

#[tokio::test]
async fn what_is_no_reply_reaches_nobody_and_what_goes_before_it_does() {
    let lost = || Some(Err(StoreError::Lost));
    for no_reply in [&b"?\r\n"[..], b"*1\r\n*1\r\n$1\r\n2\r\n"] {
        let (client, reader) = answered_in_turn(&[b"+first\r\n", no_reply].concat()).await;
        assert_eq!((client.unwrap(), reader), ("first".to_owned(), lost()));
    }
    // The client would take the second for an answer.
    for replies in [&b"$2\r\n1\r\n$1\r\n2\r\n"[..], b"?\r\n$1\r\n2\r\n"] {
        let (client, reader) = answered_in_turn(replies).await;
        assert!(client.unwrap_err().is_io_error());
        assert_eq!(reader, lost());
    }
    let (client, reader) = answered_in_turn(b"+a\nb\r\n$1\r\n2\r\n").await;
    assert_eq!((client.unwrap(), reader), ("a\nb".to_owned(), is("2")));
}

#[tokio::test]
async fn the_client_hears_an_announcement_before_a_later_answer_is_dealt_out() {
    const ANNOUNCED: &[u8] = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
    let (mut mux, batches, mut server) = muxed(4096);
    let mut read = pin!(read(&batches, "k"));
    let mut reader = async || poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await;
    assert!(reader().await.is_pending());
    send(&mut mux).await;
    server
        .write_all(&[ANNOUNCED, ANNOUNCED, b"$3\r\nold\r\n"].concat())
        .await
        .unwrap();
    let mut room = [0; 256];
    let mut client = ReadBuf::new(&mut room);
    assert!(turn(&mut mux, &mut client).await && reader().await.is_pending());
    assert!(!turn(&mut mux, &mut client).await);
    let answer = Some(Ok(Some(Bytes::from_static(b"old"))));
    assert_eq!(reader().await, Poll::Ready(answer));
    assert_eq!(client.filled(), [ANNOUNCED, ANNOUNCED].concat());
}

/// Whether the server seems to answer at once, after many times two batches whose answers came in one go or in two.
async fn seems_at_once(goes: usize) -> bool {
    let (mut mux, batches, mut server) = muxed(4096);
    for _ in 0..300 {
        let mut reads = [Box::pin(read(&batches, "a")), Box::pin(read(&batches, "b"))];
        let (mut received, mut replies) = (Vec::new(), Vec::new());
        for read in &mut reads {
            let polled = poll_fn(|context| Poll::Ready(read.as_mut().poll(context)));
            assert!(polled.await.is_pending());
            send(&mut mux).await;
            let words = command(&mut server, &mut received).await.unwrap();
            let array: &[u8] = if words[0] == "MGET" { b"*1\r\n" } else { b"" };
            replies.push([array, b"$1\r\n1\r\n"].concat());
        }
        for go in replies.chunks(2 / goes) {
            server.write_all(&go.concat()).await.unwrap();
            let mut room = [0; 16];
            turn(&mut mux, &mut ReadBuf::new(&mut room)).await;
        }
        for read in reads {
            assert_eq!(read.await, is("1"));
        }
    }
    batches.are_answered_at_once()
}

#[tokio::test]
async fn it_is_seen_whether_a_server_answers_all_batches_at_once() {
    assert!(seems_at_once(1).await);
    assert!(!seems_at_once(2).await);
}
