//! Removes entries by the steps that writers take, so that what they promise holds: afterwards nobody serves what
//! was loaded before, from its memory neither.

use std::io::{self, IsTerminal as _, Write as _};

use cached_redis::Invalidation;
use cached_redis::catalog::ExportedFunction;
use cached_redis::operator::{Listed, Standing, TagState};
use serde::Serialize;

use crate::Verdict;
use crate::args::{Place, Purge, Target};
use crate::failure::Failure;
use crate::out::{Out, counted, plain};
use crate::place::Site;

/// More keys than these are not removed by mistake.
const MANY: usize = 1000;

/// How many are counted by a dry run: they are all kept in memory.
const COUNTED: usize = 100_000;

/// How many keys are named of those that would go.
const NAMED: usize = 10;

/// What would go, or has gone.
#[derive(Default, Serialize)]
struct Plan {
    what: String,
    /// How many keys were found; `null`: they are not counted.
    keys: Option<usize>,
    /// Whether those are all.
    complete: bool,
    /// Some of them.
    examples: Vec<String>,
    removed: bool,
    #[serde(skip)]
    needs_yes: bool,
}

pub(super) async fn run(place: &Place, args: &Purge, out: &mut Out) -> Result<Verdict, Failure> {
    if let Target::Function { function } = &args.what {
        place.needs_catalog()?.function(function)?;
    }
    let site = place.open().await?;
    let mut plan = plan(&site, args).await?;
    if !args.dry_run {
        agreed(args, &plan)?;
        confirmed(&site, remove(&site, &args.what).await?).await?;
        plan.removed = true;
    }
    match out.json {
        true => out.json(&plan)?,
        false => print(&plan, out)?,
    }
    Ok(Verdict::Good)
}

async fn plan(site: &Site, args: &Purge) -> Result<Plan, Failure> {
    match &args.what {
        Target::Key { keys } => of_keys(site, keys).await,
        Target::Tag { tags } => of_tags(site, tags).await,
        Target::Pattern { pattern } => {
            let what = format!("keys that match {pattern}");
            of_pattern(site, what, pattern, args, |_| true).await
        }
        Target::Function { function } => of_function(site, function, args).await,
        Target::Namespace => {
            let what = "everything in the namespace".to_owned();
            let plan = of_pattern(site, what, "*", args, |_| true).await?;
            let needs_yes = true;
            Ok(Plan { needs_yes, ..plan })
        }
    }
}

/// Those of all functions that share its template.
async fn of_function(site: &Site, name: &str, args: &Purge) -> Result<Plan, Failure> {
    let catalog = site.catalog.as_ref();
    let catalog = catalog.ok_or_else(|| Failure::new("there is no catalogue"))?;
    let function = catalog.function(name)?;
    let is_of_it = |key: &Listed| {
        let of = key
            .function
            .as_deref()
            .and_then(|it| catalog.function(it).ok());
        of.is_some_and(|of| of.key == function.key)
    };
    let what = format!("entries of {}", function.function);
    of_pattern(site, what, &pattern_of(function), args, is_of_it).await
}

/// All keys that its template can make, and maybe some of others.
fn pattern_of(function: &ExportedFunction) -> String {
    let mut pattern = String::new();
    for (at, piece) in function.key.split('<').enumerate() {
        match piece.split_once('>') {
            Some((_, text)) if at > 0 => pattern.extend(["*", text]),
            _ => pattern.push_str(piece),
        }
    }
    pattern
}

async fn of_keys(site: &Site, keys: &[String]) -> Result<Plan, Failure> {
    let mut examples = Vec::new();
    for key in keys {
        let found = site.operator().inspect(key).await?;
        if !matches!(found.standing, Standing::Nothing | Standing::Pending(_)) {
            examples.push(key.clone());
        }
    }
    Ok(Plan {
        what: counted(keys.len(), "key", "keys"),
        keys: Some(examples.len()),
        complete: true,
        examples,
        ..Plan::default()
    })
}

async fn of_tags(site: &Site, tags: &[String]) -> Result<Plan, Failure> {
    let mut examples = Vec::new();
    for tag in tags {
        if site.operator().tag(tag).await? != TagState::Gone {
            examples.push(tag.clone());
        }
    }
    let known = counted(examples.len(), "tag", "tags");
    Ok(Plan {
        what: format!("entries that carry {known} of {}", tags.len()),
        keys: None,
        complete: true,
        examples,
        ..Plan::default()
    })
}

async fn of_pattern(
    site: &Site,
    what: String,
    pattern: &str,
    args: &Purge,
    counts: impl Fn(&Listed) -> bool,
) -> Result<Plan, Failure> {
    // No more are counted than it takes to know whether to ask.
    let most = if args.dry_run { COUNTED } else { MANY + 1 };
    let mut found = site.operator().list(pattern, most).await?;
    // What is pending stays.
    found.keys.retain(|it| it.kind != "pending" && counts(it));
    let mut examples: Vec<_> = found.keys.iter().map(|it| it.key.clone()).collect();
    examples.sort_unstable();
    examples.truncate(NAMED);
    Ok(Plan {
        what,
        keys: Some(found.keys.len()),
        complete: found.complete,
        examples,
        removed: false,
        needs_yes: found.keys.len() > MANY,
    })
}

/// Asks, where that is needed and somebody is there.
fn agreed(args: &Purge, plan: &Plan) -> Result<(), Failure> {
    if args.yes || !plan.needs_yes {
        return Ok(());
    }
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        let mut answer = String::new();
        write!(io::stderr(), "Remove {}? [y/N] ", plain(&plan.what))?;
        io::stdin().read_line(&mut answer)?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        return Err(Failure::new("nothing was removed"));
    }
    Err(Failure::with_help(
        format!("nothing was removed: {} would go", plan.what),
        "--dry-run tells what that is, and --yes removes it",
    ))
}

async fn remove(site: &Site, what: &Target) -> Result<Invalidation, Failure> {
    let request = site.cache.invalidation().settled();
    Ok(match what {
        Target::Key { keys } => request.keys(keys).send().await?,
        Target::Tag { tags } => request.tags(tags).send().await?,
        Target::Pattern { pattern } => request.matching(pattern).send().await?,
        Target::Function { function } => site.operator().clear(function).await?,
        Target::Namespace => site.operator().clear_namespace().await?,
    })
}

/// What was put off is lost with this process, so it waits, unless that is in vain, and says so.
async fn confirmed(site: &Site, done: Invalidation) -> Result<(), Failure> {
    if done == Invalidation::Done || !is_refused(site).await && site.cache.flush().await.is_ok() {
        return Ok(());
    }
    Err(Failure::with_help(
        "the store has not confirmed that all is removed",
        "run it again: what is gone already does no harm. `doctor` tells whether this login may remove",
    ))
}

/// Whether the login may not do what every removal needs.
async fn is_refused(site: &Site) -> bool {
    let needed = ["UNLINK", "EVALSHA x 1"];
    let needed = needed.map(|command| format!("{command} {}:purge", site.namespace));
    let reports = site.operator().servers(&needed).await.unwrap_or_default();
    let mut allowed = reports.iter().flat_map(|report| &report.allowed);
    allowed.any(|allowed| *allowed == Some(false))
}

fn print(plan: &Plan, out: &mut Out) -> Result<(), Failure> {
    let would = if plan.removed {
        "removed"
    } else {
        "would remove"
    };
    let more = if plan.complete { "" } else { " or more" };
    let count = match plan.keys {
        Some(keys) => format!(" ({} there{more})", counted(keys, "key", "keys")),
        None => String::new(),
    };
    out.text(&format!("{would}: {}{count}", plan.what), 0)?;
    let left = plan
        .keys
        .unwrap_or_default()
        .saturating_sub(plan.examples.len());
    for example in &plan.examples {
        out.line(format!("  {example}"))?;
    }
    match left {
        0 => Ok(()),
        left => out.line(format!("  and {left} more")),
    }
}
