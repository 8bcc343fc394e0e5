//! When a settled writer has returned, no process serves anything older from its memory: not even one that hears
//! of nothing any more.

use std::time::Duration;

use cached_redis::{Builder, Cache, CachedExt as _, Status, invalidates, redis_cached};

use crate::support::{Forwarder, Source, World, eventually, in_time, new_process, on_redis};

on_redis!(
    a_process_that_is_cut_off_serves_nothing_older,
    a_process_without_announcements_serves_nothing_older,
);

const STALENESS: Duration = Duration::from_millis(200);

#[redis_cached(ttl = 60, local = "60s", key = "settled-local:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("settled-local:<id>", settled)]
async fn change(id: u64) {
    let _ = id;
}

/// With the usual deadline.
fn builder(url: &str) -> Builder {
    let builder = Cache::builder().url(url).namespace("it");
    let builder = builder.process(new_process());
    builder.local_staleness(STALENESS)
}

async fn kept(reader: &Cache, source: &Source) {
    eventually("an answer in memory", async || {
        let (_, info) = reader.scope(read(source, 7).with_info()).await;
        info.status() == Status::Local
    })
    .await;
}

async fn writes(writer: &Cache, source: &Source) {
    source.write();
    in_time(writer.scope(change(7))).await;
}

async fn a_process_that_is_cut_off_serves_nothing_older(world: World) {
    let network = Forwarder::to(world.server().unwrap()).await;
    let [reader, writer] = [&network.url(), world.url()].map(|url| builder(url).build());
    let (reader, writer) = (reader.await.unwrap(), writer.await.unwrap());
    let source = Source::new();
    for _ in 0..3 {
        kept(&reader, &source).await;
        network.black_hole(true);
        writes(&writer, &source).await;
        assert_eq!(reader.scope(read(&source, 7)).await, source.version());
        network.black_hole(false);
    }
}

async fn a_process_without_announcements_serves_nothing_older(world: World) {
    let server = world.server().unwrap();
    let rules = ["on", ">pw", "~*", "+@all", "-client|tracking"];
    server.run::<()>(&[&["ACL", "SETUSER", "ann"][..], &rules].concat());
    let reader = builder(&server.url_of("ann", "pw")).build().await.unwrap();
    let writer = builder(world.url()).build().await.unwrap();
    let source = Source::new();
    for _ in 0..3 {
        kept(&reader, &source).await;
        writes(&writer, &source).await;
        assert_eq!(reader.scope(read(&source, 7)).await, source.version());
    }
}
