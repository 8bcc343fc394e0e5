use std::time::Duration;

use crate::error::StoreError;
use crate::store::redis::RedisSettings;
use crate::store::redis::server::{Server, eventually, in_time, store};

#[tokio::test]
async fn a_read_that_joins_when_no_ticks_are_given_any_more_has_its_deadline() {
    let server = Server::start();
    let settings = RedisSettings {
        deadline: Duration::from_millis(20),
        ..RedisSettings::default()
    };
    let store = store(&server.url(), settings).await;
    let link = store.link();
    // As while it waits for a connection.
    let mut age = link.deadline.age();
    eventually(async || link.deadline.is_asleep()).await;
    server.signal("-STOP");
    let batches = link.connection.batches();
    let ended = in_time(link.joined(|waker| batches.join(&["k"], waker), &mut age, drop)).await;
    assert_eq!(ended, Some(Err(StoreError::Timeout)));
}
