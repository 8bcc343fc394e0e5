//! The catalogue of a program, and what a release changes of it.

use std::time::Duration;

use cached_redis::catalog::{Exported, ExportedFunction};
use serde::Serialize;

use crate::Verdict;
use crate::args::{Catalog, CatalogCommand, Place};
use crate::failure::Failure;
use crate::out::{Out, time};
use crate::place::catalog;

pub(super) fn run(place: &Place, args: &Catalog, out: &mut Out) -> Result<Verdict, Failure> {
    if let Some(CatalogCommand::Diff { old, new }) = &args.what {
        return diff(&catalog(old)?, &catalog(new)?, out);
    }
    let found = match &args.file {
        Some(file) => catalog(file)?,
        None => place.needs_catalog()?,
    };
    match out.json {
        true => out.json(&found)?,
        false => print(&found, out)?,
    }
    Ok(Verdict::Good)
}

fn print(catalog: &Exported, out: &mut Out) -> Result<(), Failure> {
    for it in &catalog.problems {
        out.text(&format!("problem: {}: {}", it.function, it.problem), 2)?;
    }
    let row = |it: &ExportedFunction| {
        vec![
            it.key.clone(),
            ttl(it),
            it.tags.join(" "),
            it.value.clone(),
            it.function.clone(),
            format!("{}:{}", it.file, it.line),
        ]
    };
    let rows: Vec<_> = catalog.functions.iter().map(row).collect();
    out.table(&["key", "ttl", "tags", "value", "function", "where"], &rows)
}

fn ttl(function: &ExportedFunction) -> String {
    match (function.ttl_ms, &function.policy) {
        (Some(ms), _) => time(Duration::from_millis(ms)),
        (None, Some(policy)) => format!("policy {policy}"),
        (None, None) => "default".to_owned(),
    }
}

/// What a release changes of one function.
#[derive(Serialize)]
struct Change {
    function: String,
    what: &'static str,
    old: Option<String>,
    new: Option<String>,
    means: &'static str,
}

fn diff(old: &Exported, new: &Exported, out: &mut Out) -> Result<Verdict, Failure> {
    let changes = changes(old, new);
    if out.json {
        out.json(&changes)?;
    } else if changes.is_empty() {
        out.line("no difference")?;
    } else {
        changes.iter().try_for_each(|change| tell(change, out))?;
    }
    Ok(match changes.is_empty() {
        true => Verdict::Good,
        false => Verdict::Bad,
    })
}

fn tell(change: &Change, out: &mut Out) -> Result<(), Failure> {
    let (function, what) = (&change.function, change.what);
    let told = match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{function}: {what} {old} -> {new}"),
        (Some(old), None) => format!("{function}: no longer there, {what} {old}"),
        (None, new) => format!("{function}: new, {what} {}", new.as_deref().unwrap_or("")),
    };
    out.text(&told, 2)?;
    out.text(&format!("  {}", change.means), 2)
}

fn changes(old: &Exported, new: &Exported) -> Vec<Change> {
    let find = |all: &Exported, name: &str| {
        let mut all = all.functions.iter();
        all.find(|it| it.function == name).cloned()
    };
    let gone = old
        .functions
        .iter()
        .filter(|it| find(new, &it.function).is_none());
    let mut changes: Vec<_> = gone.map(|it| gone_or_new(it, true)).collect();
    for it in &new.functions {
        match find(old, &it.function) {
            None => changes.push(gone_or_new(it, false)),
            Some(before) => changes.extend(changed(&before, it)),
        }
    }
    changes.sort_by(|a, b| a.function.cmp(&b.function));
    changes
}

fn gone_or_new(function: &ExportedFunction, is_gone: bool) -> Change {
    let (key, name) = (Some(function.key.clone()), function.function.clone());
    let means = match is_gone {
        true => "what it has stored is read by nobody, and ends with its TTL",
        false => "it begins with nothing stored",
    };
    let (old, new) = if is_gone { (key, None) } else { (None, key) };
    Change {
        function: name,
        what: "key",
        old,
        new,
        means,
    }
}

/// What a template makes of its values, however these are called.
fn outline(template: &str) -> String {
    let mut pieces = template.split('<');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| {
        let (value, text) = piece.split_once('>').unwrap_or((piece, ""));
        let format = value.split_once(':').map_or("", |(_, format)| format);
        format!("{all}<{format}>{text}")
    })
}

fn changed(old: &ExportedFunction, new: &ExportedFunction) -> Vec<Change> {
    let rows = [
        (
            "key",
            (outline(&old.key) != outline(&new.key)).then(|| [old.key.clone(), new.key.clone()]),
            "both releases load for themselves, and while both run, each invalidates its own key alone: let the \
             new one invalidate both",
        ),
        (
            "tags",
            (old.tags != new.tags).then(|| [old.tags.join(" "), new.tags.join(" ")]),
            "neither release takes the other's entries",
        ),
        (
            "value",
            (old.value != new.value).then(|| [old.value.clone(), new.value.clone()]),
            "where the shape of the type is another one, neither release takes the other's entries",
        ),
        (
            "codec",
            (old.codec != new.codec).then(|| {
                [&old.codec, &new.codec].map(|it| it.clone().unwrap_or("default".to_owned()))
            }),
            "neither release takes the other's entries",
        ),
        (
            "ttl",
            (ttl(old) != ttl(new)).then(|| [ttl(old), ttl(new)]),
            "entries keep the TTL that they were stored with",
        ),
    ];
    let change = |(what, differ, means): (_, Option<[String; 2]>, _)| {
        let [old, other] = differ?;
        Some(Change {
            function: new.function.clone(),
            what,
            old: Some(old),
            new: Some(other),
            means,
        })
    };
    rows.into_iter().filter_map(change).collect()
}
