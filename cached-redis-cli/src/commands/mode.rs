//! How much functions use the cache, in every process.

use cached_redis::Mode;
use cached_redis::operator::ModeOrder;
use serde_json::json;

use crate::Verdict;
use crate::args::{self, Switch};
use crate::failure::Failure;
use crate::out::{Out, time};
use crate::place::Site;

pub(super) async fn run(site: &Site, args: &args::Mode, out: &mut Out) -> Result<Verdict, Failure> {
    let function = args.function.as_deref();
    // Where the catalogue is there, a name that nobody has is found out before anything is set.
    let function = match (&site.catalog, function) {
        (Some(catalog), Some(name)) => Some(catalog.function(name)?.function.as_str()),
        _ => function,
    };
    let (Some(function), Some(switch)) = (function, args.mode) else {
        return show(site, function, out).await;
    };
    let mode = match switch {
        Switch::On => Mode::On,
        Switch::Off => Mode::Off,
        Switch::Shadow => Mode::Shadow,
        Switch::Reset => return reset(site, function, out).await,
    };
    let set = site.operator().set_mode(function, mode, args.life).await?;
    match out.json {
        true => out.json(&set)?,
        false => {
            let unknown = match site.catalog {
                Some(_) => "",
                None => " Those that have no function of this name ignore it.",
            };
            let told = format!(
                "{function} is {mode} for {} in every process of the namespace, within 5 s.{unknown}",
                time(set.left)
            );
            out.text(&told, 0)?;
        }
    }
    Ok(Verdict::Good)
}

async fn reset(site: &Site, function: &str, out: &mut Out) -> Result<Verdict, Failure> {
    let was_set = site.operator().reset_mode(function).await?;
    match (out.json, was_set) {
        (true, _) => out.json(&json!({ "function": function, "was_set": was_set }))?,
        (_, true) => out.text(
            &format!("{function} is as each program says, within 5 s."),
            0,
        )?,
        (_, false) => out.text(&format!("nothing is set for {function} under this name"), 0)?,
    }
    Ok(if was_set { Verdict::Good } else { Verdict::Bad })
}

async fn show(site: &Site, function: Option<&str>, out: &mut Out) -> Result<Verdict, Failure> {
    let mut set = site.operator().modes().await?;
    set.retain(|order| function.is_none_or(|function| order.function == function));
    if out.json {
        out.json(&set)?;
    } else if set.is_empty() {
        out.text(
            "nothing is set: each program has the modes that it says itself",
            0,
        )?;
    } else {
        let row = |it: &ModeOrder| vec![it.function.clone(), it.mode.to_string(), time(it.left)];
        let rows: Vec<_> = set.iter().map(row).collect();
        out.table(&["function", "mode", "for another"], &rows)?;
    }
    Ok(Verdict::Good)
}
