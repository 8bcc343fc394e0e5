//! What is wrong with the servers, the login and the entries: every finding with what to do about it.

use std::fmt;

use cached_redis::operator::ServerReport;
use serde::Serialize;

use crate::Verdict;
use crate::args;
use crate::failure::Failure;
use crate::out::{Out, counted};
use crate::place::Site;

mod durability;
mod entries;
mod login;
mod memory;
mod server;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// Worth knowing.
    Note,
    /// It costs loads, or may.
    Warning,
    /// A feature does not work, or what it promises does not hold.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What was found out.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    /// What was looked at.
    check: &'static str,
    /// Which server, where there are several.
    server: Option<String>,
    finding: String,
    /// What to do about it.
    remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, finding: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            check,
            server: None,
            finding: finding.into(),
            remedy: None,
        }
    }

    fn of(
        level: Level,
        check: &'static str,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            level,
            remedy: Some(remedy.into()),
            ..Self::ok(check, finding)
        }
    }
}

/// What is looked at.
struct Patient<'a> {
    args: &'a args::Doctor,
    report: &'a ServerReport,
}

impl Patient<'_> {
    fn uses(&self, feature: args::Feature) -> bool {
        self.args.uses.contains(&feature)
    }

    /// A line of `INFO`; empty where the login may not see it.
    fn info(&self, name: &str) -> &str {
        self.report.info.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.info(name).parse().ok()
    }

    /// A setting; `None` where the login may not see it.
    fn config(&self, name: &str) -> Option<&str> {
        self.report.config.get(name).map(String::as_str)
    }
}

#[derive(Serialize)]
struct Diagnosis {
    /// The worst of them.
    level: Level,
    findings: Vec<Finding>,
}

pub(crate) async fn run(
    site: &Site,
    args: &args::Doctor,
    out: &mut Out,
) -> Result<Verdict, Failure> {
    let namespace = site.namespace.as_str();
    let reports = site.operator().servers(&login::commands(namespace)).await?;
    let mut findings = Vec::new();
    for report in &reports {
        let patient = Patient { args, report };
        let mut found = server::look(&patient);
        found.extend(memory::look(&patient));
        found.extend(durability::look(&patient));
        found.extend(login::look(&patient, namespace));
        let several = reports.len() > 1;
        let server = several.then(|| report.server.clone());
        found
            .iter_mut()
            .for_each(|it| it.server.clone_from(&server));
        findings.extend(found);
    }
    findings.extend(entries::look(site, args).await?);
    let worst = findings.iter().map(|it| it.level).max();
    let level = worst.unwrap_or(Level::Ok);
    let diagnosis = Diagnosis { level, findings };
    match out.json {
        true => out.json(&diagnosis)?,
        false => print(&diagnosis, out)?,
    }
    Ok(match level {
        Level::Error => Verdict::Bad,
        _ => Verdict::Good,
    })
}

fn print(diagnosis: &Diagnosis, out: &mut Out) -> Result<(), Failure> {
    const INDENT: usize = 9;
    for it in &diagnosis.findings {
        let server = it
            .server
            .as_ref()
            .map_or(String::new(), |it| format!("{it}: "));
        let told = format!("{:INDENT$}{}: {server}{}", it.level, it.check, it.finding);
        out.text(&told, INDENT)?;
        if let Some(remedy) = &it.remedy {
            out.text(&format!("{:INDENT$}-> {remedy}", ""), INDENT + 3)?;
        }
    }
    let count = |level| {
        let all = diagnosis.findings.iter();
        all.filter(|it| it.level == level).count()
    };
    let errors = counted(count(Level::Error), "error", "errors");
    let warnings = counted(count(Level::Warning), "warning", "warnings");
    out.line(format!("{errors}, {warnings}"))
}
