//! Invalidations as they are published.

use std::time::SystemTime;

use cached_redis::events::{Consumer, Invalidated, Notice};
use serde_json::{Value, json};

use crate::Verdict;
use crate::args::Tail;
use crate::failure::Failure;
use crate::out::Out;
use crate::place::Site;

pub(super) async fn run(site: &Site, args: &Tail, out: &mut Out) -> Result<Verdict, Failure> {
    let tail = async {
        match &args.group {
            Some(group) => durable(site, args, group, out).await,
            None => live(site, args, out).await,
        }
    };
    tokio::select! {
        ended = tail => ended?,
        // To stop it is how it ends.
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    Ok(Verdict::Good)
}

async fn live(site: &Site, args: &Tail, out: &mut Out) -> Result<(), Failure> {
    let mut events = site.cache.events().await;
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0
        && let Some(notice) = events.next().await
    {
        left -= u64::from(print(&notice, out)?);
    }
    Ok(())
}

async fn durable(site: &Site, args: &Tail, group: &str, out: &mut Out) -> Result<(), Failure> {
    let mut consumer = Consumer::new(group, &args.consumer);
    if args.from_start {
        consumer = consumer.from_start();
    }
    let mut events = site.cache.durable_events(consumer).await;
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0
        && let Some(notice) = events.next().await
    {
        left -= u64::from(print(&notice, out)?);
        // Once it is seen.
        if let Notice::Invalidated(event) = &notice
            && args.ack
        {
            events.ack(event).await?;
        }
    }
    Ok(())
}

/// Whether it was an event.
fn print(notice: &Notice, out: &mut Out) -> Result<bool, Failure> {
    let is_event = matches!(notice, Notice::Invalidated(_));
    match (notice, out.json) {
        (Notice::Invalidated(event), true) => out.json_line(&data(event))?,
        (Notice::Invalidated(event), false) => out.text(&line(event), 4)?,
        (_, true) => out.json_line(&json!({ "gap": true }))?,
        (_, false) => out.text("(some events may have been missed here)", 0)?,
    }
    out.flush()?;
    Ok(is_event)
}

fn data(event: &Invalidated) -> Value {
    let at = event.at.duration_since(SystemTime::UNIX_EPOCH);
    json!({
        "id": event.id,
        "at": at.unwrap_or_default().as_millis() as u64,
        "by": event.by,
        "keys": event.keys,
        "tags": event.tags,
        "patterns": event.patterns,
    })
}

fn line(event: &Invalidated) -> String {
    let at = humantime::format_rfc3339_millis(event.at);
    let parts = [
        ("key", &event.keys),
        ("tag", &event.tags),
        ("pattern", &event.patterns),
    ];
    let parts = parts
        .into_iter()
        .flat_map(|(what, names)| names.iter().map(move |name| format!("{what} {name}")));
    format!("{at} {}", parts.collect::<Vec<_>>().join(", "))
}
