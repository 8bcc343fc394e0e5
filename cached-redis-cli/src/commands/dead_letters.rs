//! Writes of a queue that have failed for good, and those of their keys that wait behind them.

use cached_redis::behind::{DeadLetter, WriteBehindQueue};
use serde_json::json;

use crate::Verdict;
use crate::args::{DeadLetters, Letters};
use crate::failure::Failure;
use crate::out::{Out, counted};
use crate::place::Site;

pub(super) async fn run(
    site: &Site,
    args: &DeadLetters,
    out: &mut Out,
) -> Result<Verdict, Failure> {
    match &args.what {
        Letters::List { queue } => list(&site.cache.write_behind_queue(queue)?, out).await,
        Letters::Retry { queue, key } => {
            let letters = site.cache.write_behind_queue(queue)?.retry(key).await?;
            let what = counted(letters as usize, "dead letter", "dead letters");
            let told = format!("put back to the end of the queue: {what} of {key}");
            done(out, "retried", letters, &told)
        }
        Letters::Drop { queue, key, yes } => {
            let queue = site.cache.write_behind_queue(queue)?;
            drop_first(&queue, key, *yes, out).await
        }
    }
}

async fn list(queue: &WriteBehindQueue, out: &mut Out) -> Result<Verdict, Failure> {
    let (depth, letters) = (queue.depth().await?, queue.dead_letters().await?);
    if out.json {
        let letters: Vec<_> = letters.iter().map(data).collect();
        out.json(&json!({ "waiting": depth.waiting, "dead": depth.dead, "letters": letters }))?;
    } else {
        let waiting = counted(depth.waiting as usize, "write waits", "writes wait");
        let dead = counted(depth.dead as usize, "dead letter", "dead letters");
        out.text(&format!("{waiting}, {dead}"), 0)?;
        let row = |it: &DeadLetter| {
            let texts = [it.key(), it.function(), it.reason()].map(str::to_owned);
            [texts.to_vec(), vec![it.number().to_string()]].concat()
        };
        let rows: Vec<_> = letters.iter().map(row).collect();
        if !rows.is_empty() {
            out.table(&["key", "function", "reason", "number"], &rows)?;
        }
    }
    Ok(if letters.is_empty() {
        Verdict::Good
    } else {
        Verdict::Bad
    })
}

fn data(letter: &DeadLetter) -> serde_json::Value {
    json!({
        "key": letter.key(),
        "function": letter.function(),
        "reason": letter.reason(),
        "number": letter.number(),
    })
}

async fn drop_first(
    queue: &WriteBehindQueue,
    key: &str,
    yes: bool,
    out: &mut Out,
) -> Result<Verdict, Failure> {
    if !yes {
        return Err(Failure::with_help(
            format!("nothing was dropped: the oldest dead letter of {key} would be lost"),
            "`dead-letters retry` puts it back; --yes drops it",
        ));
    }
    let dropped = queue.drop_first(key).await?;
    let told = format!("dropped: the oldest dead letter of {key}");
    done(out, "dropped", dropped.into(), &told)
}

/// That so many were there.
fn done(out: &mut Out, what: &str, letters: u64, told: &str) -> Result<Verdict, Failure> {
    match (out.json, letters) {
        (true, _) => out.json(&json!({ what: letters }))?,
        (_, 0) => out.text("there is no dead letter of this key", 0)?,
        _ => out.text(told, 0)?,
    }
    Ok(if letters == 0 {
        Verdict::Bad
    } else {
        Verdict::Good
    })
}
