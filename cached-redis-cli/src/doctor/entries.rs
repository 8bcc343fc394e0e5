//! What stands in the namespace, what is set for it, and what the catalogue says.

use cached_redis::catalog::{ExportedAdvice, ExportedProblem};
use cached_redis::operator::{Listed, ModeOrder};

use super::{Finding, Level};
use crate::args;
use crate::failure::Failure;
use crate::out::{counted, time};
use crate::place::Site;

/// How many keys are named of those that are odd.
const NAMED: usize = 3;

pub(super) async fn look(site: &Site, args: &args::Doctor) -> Result<Vec<Finding>, Failure> {
    let found = site.operator().list("*", args.sample).await?;
    let keys = &found.keys;
    let all = if found.complete {
        ""
    } else {
        ", as far as was looked"
    };
    let mut findings = vec![Finding::ok(
        "entries",
        format!("{}{all}", counted(keys.len(), "key", "keys")),
    )];
    findings.extend(odd(
        keys.iter().filter(|it| it.kind == "foreign"),
        Level::Warning,
        "foreign",
        "not written by the cache",
        "somebody else uses the namespace: give the cache one of its own, or remove them by `purge key`",
    ));
    findings.extend(odd(
        keys.iter()
            .filter(|it| !matches!(it.kind, "foreign" | "pending") && it.ttl.is_none()),
        Level::Warning,
        "endless",
        "without a TTL, which the cache never does",
        "somebody has run PERSIST, or copied them: remove them by `purge key`",
    ));
    findings.extend(epochs(keys));
    findings.extend(unguarded(args, keys));
    findings.extend(modes(site).await?);
    findings.extend(catalog(site));
    Ok(findings)
}

fn odd<'a>(
    keys: impl Iterator<Item = &'a Listed>,
    level: Level,
    check: &'static str,
    what: &str,
    remedy: &str,
) -> Option<Finding> {
    let mut names: Vec<_> = keys.map(|it| it.key.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    names.sort_unstable();
    let count = counted(names.len(), "key", "keys");
    names.truncate(NAMED);
    let finding = format!("{what}: {count}, such as {}", names.join(", "));
    Some(Finding::of(level, check, finding, remedy))
}

/// That programs with epochs and programs without replace each other's entries.
fn epochs(keys: &[Listed]) -> Option<Finding> {
    let epochs = keys.iter().filter_map(|it| it.epoch);
    let (without, with): (Vec<u32>, Vec<u32>) = epochs.partition(|epoch| *epoch == 0);
    (!with.is_empty() && !without.is_empty()).then(|| {
        let (with, without) = (
            counted(with.len(), "entry has", "entries have"),
            without.len(),
        );
        Finding::of(
            Level::Warning,
            "epochs",
            format!(
                "{with} an epoch, and {without} none: those of one program are misses to another"
            ),
            "give all programs of the namespace the same `on_failover`",
        )
    })
}

/// That writers in two phases were seen, of which nothing was said.
fn unguarded(args: &args::Doctor, keys: &[Listed]) -> Option<Finding> {
    let stands = keys.iter().any(|it| it.kind == "tombstone");
    (stands && !args.uses.contains(&args::Feature::Guard)).then(|| {
        Finding::of(
            Level::Note,
            "guard",
            "tombstones stand: some writers are in two phases, or their replicas lag",
            "all caches of the namespace must be `guarded`; give --uses guard to have the eviction policy checked",
        )
    })
}

async fn modes(site: &Site) -> Result<Vec<Finding>, Failure> {
    let set = site.operator().modes().await?;
    let finding = |order: ModeOrder| {
        Finding::of(
            Level::Note,
            "mode",
            format!(
                "{} is {} for another {}",
                order.function,
                order.mode,
                time(order.left)
            ),
            format!("`mode {} reset` ends it", order.function),
        )
    };
    Ok(set.into_iter().map(finding).collect())
}

fn catalog(site: &Site) -> Vec<Finding> {
    let Some(catalog) = &site.catalog else {
        return vec![Finding::of(
            Level::Note,
            "catalogue",
            "not given, so the functions of the program are not known",
            "give --catalog FILE",
        )];
    };
    let problem = |it: &ExportedProblem| {
        Finding::of(
            Level::Error,
            "catalogue",
            format!("{}: {}", it.function, it.problem),
            "`assert_catalog!()` in a test of the program finds it before it is released",
        )
    };
    let advice = |it: &ExportedAdvice| {
        let function = it.function.as_ref();
        let function = function.map_or(String::new(), |function| format!("{function}: "));
        let finding = format!("{function}{}", it.finding);
        Finding::of(Level::Warning, "advice", finding, it.remedy.as_str())
    };
    let count = counted(catalog.functions.len(), "function", "functions");
    let mut found: Vec<_> = catalog.problems.iter().map(problem).collect();
    if found.is_empty() {
        found.push(Finding::ok("catalogue", count));
    }
    found.extend(catalog.advice.iter().map(advice));
    found
}
