//! The page of operations says how much room entries take; a real server is asked again.

use std::time::Duration;

use cached_redis::Policy;

use crate::support::{World, on_redis, tier};

on_redis!(entries_take_as_much_room_as_the_page_says,);

/// How many entries of each size are compared with none, for a change or a release.
const ENTRIES: [u64; 2] = [2_000, 5_000];

/// By how much a server may differ: of another version, or another allocator.
const TOLERANCE: f64 = 0.2;

/// The table of sizes: of the value, and in Redis.
fn table() -> Vec<(usize, f64)> {
    let page = include_str!("../../cached-redis/src/docs/redis.md");
    let table = page
        .split("| encoded value, bytes |")
        .nth(1)
        .expect("the table");
    let table = table
        .lines()
        .skip(2)
        .map_while(|line| line.strip_prefix("| "));
    let row = |row: &str| {
        let mut cells = row.split('|').map(str::trim);
        let mut cell = || cells.next().expect("a cell").to_owned();
        (
            cell().parse().expect("bytes"),
            cell().parse().expect("bytes"),
        )
    };
    table.map(row).collect()
}

async fn entries_take_as_much_room_as_the_page_says(world: World) {
    let cache = world.cache().await;
    let policy = Policy::new().ttl(Duration::from_secs(3600));
    let (rows, entries) = (table(), tier(ENTRIES[0], ENTRIES[1]));
    assert!(rows.len() > 3, "{rows:?}");
    let mut taken = Vec::new();
    for (size, _) in &rows {
        // Text is encoded as it stands, behind its length of 1 to 3 bytes.
        let value = "x".repeat(size - if *size > 250 { 3 } else { 1 });
        let before = cache.store_sample().await.unwrap().used_memory();
        for id in 0..entries {
            // With its namespace, 20 bytes.
            let key = format!("s:{size:05}:{id:09}");
            cache.put(&policy, key, &value).await.unwrap();
        }
        let after = cache.store_sample().await.unwrap().used_memory();
        taken.push((after - before) as f64 / entries as f64);
    }
    for ((size, expected), one) in rows.iter().zip(&taken) {
        let differs = (one - expected).abs() / expected;
        assert!(
            differs < TOLERANCE,
            "{size} bytes take {one}, and not {expected}: {taken:?}"
        );
    }
}
