//! The keys of a pattern.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use cached_redis::operator::{Listed, Listing};
use serde::Serialize;

use crate::Verdict;
use crate::args::{Ls, Order};
use crate::failure::Failure;
use crate::out::{Out, counted, size, time};
use crate::place::Site;

/// Where functions are counted, all are.
const ALL: usize = usize::MAX;

pub(super) async fn run(site: &Site, args: &Ls, out: &mut Out) -> Result<Verdict, Failure> {
    let most = if args.by_function { ALL } else { args.limit };
    let mut found = site.operator().list(&args.pattern, most).await?;
    match args.by_function {
        true => print_functions(&found, out)?,
        false => {
            sort(&mut found.keys, args.sort);
            print_keys(&found, out)?;
        }
    }
    Ok(Verdict::Good)
}

fn sort(keys: &mut [Listed], order: Order) {
    keys.sort_by(|a, b| a.key.cmp(&b.key));
    match order {
        Order::Key => {}
        Order::Size => keys.sort_by_key(|it| Reverse(it.bytes)),
        Order::Age => keys.sort_by_key(|it| Reverse(it.age)),
        Order::Ttl => keys.sort_by_key(|it| (it.ttl.is_none(), it.ttl)),
    }
}

fn print_keys(found: &Listing, out: &mut Out) -> Result<(), Failure> {
    if out.json {
        return out.json(found);
    }
    let row = |it: &Listed| {
        vec![
            it.key.clone(),
            it.kind.to_owned(),
            size(it.bytes),
            it.age.map(time).unwrap_or_default(),
            it.ttl.map_or_else(|| "never".to_owned(), time),
            it.codec.clone().unwrap_or_default(),
            it.function.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = found.keys.iter().map(row).collect();
    if !rows.is_empty() {
        let head = ["key", "kind", "size", "age", "ends in", "codec", "function"];
        out.table(&head, &rows)?;
    }
    let more = if found.complete {
        ""
    } else {
        ", and there are more: see --limit"
    };
    out.text(&format!("{}{more}", counted(rows.len(), "key", "keys")), 0)
}

#[derive(Default, Serialize)]
struct Sum {
    keys: usize,
    bytes: u64,
}

fn print_functions(found: &Listing, out: &mut Out) -> Result<(), Failure> {
    let mut sums = BTreeMap::<&str, Sum>::new();
    for it in &found.keys {
        let name = it.function.as_deref().unwrap_or("(of no known function)");
        let sum = sums.entry(name).or_default();
        sum.keys += 1;
        sum.bytes += it.bytes;
    }
    if out.json {
        return out.json(&sums);
    }
    let row = |(name, sum): (&&str, &Sum)| {
        vec![(*name).to_owned(), sum.keys.to_string(), size(sum.bytes)]
    };
    let rows: Vec<_> = sums.iter().map(row).collect();
    out.table(&["function", "keys", "size"], &rows)
}
