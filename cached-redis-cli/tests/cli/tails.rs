//! `tail`: events, as they come and from the stream.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::shop::Shop;
use crate::support::{RedisServer, eventually};

async fn publish(shop: &Shop) {
    let sent = shop.cache.invalidation().key("user:42").tag("team:7");
    sent.publish().send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_printed_as_it_comes() {
    let server = RedisServer::start();
    let shop = Shop::at(&server.url()).await;
    let mut tail = shop.command("--json tail --limit 1");
    let mut tail = tail.stdout(Stdio::piped()).spawn().unwrap();
    let listens = async || {
        let counts: Vec<Value> = server
            .run::<Vec<redis::Value>>(&["PUBSUB", "NUMSUB", "shop:#events"])
            .into_iter()
            .map(|value| json!(format!("{value:?}")))
            .collect();
        counts[1] == json!("int(1)")
    };
    eventually("it to listen", listens).await;
    publish(&shop).await;
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let lines: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(tail.wait().unwrap().success());
    // When it begins to listen, it cannot know what there was before.
    let event: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(event["keys"], json!(["user:42"]));
    assert_eq!(event["tags"], json!(["team:7"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_stream_is_printed_until_it_is_acknowledged() {
    let server = RedisServer::start();
    let shop = Shop::of(&server.url(), |builder| builder.event_stream(100)).await;
    publish(&shop).await;
    let words = "tail --group ops --from-start --limit 1";
    for _ in 0..2 {
        let told = shop.prints(words);
        assert!(
            told.trim_end().ends_with("key user:42, tag team:7"),
            "{told}"
        );
    }
    shop.prints(&format!("{words} --ack"));
    publish(&shop).await;
    shop.prints(&format!("{words} --ack"));
    let left: redis::Value = server.run(&["XPENDING", "shop:#stream", "ops"]);
    assert!(format!("{left:?}").contains("int(0)"), "{left:?}");
}
