//! What comes back after a restart, against what programs do about it.

use super::{Finding, Level, Patient};
use crate::args::OnFailover;

pub(super) fn look(patient: &Patient<'_>) -> Option<Finding> {
    let is_logged = patient.config("appendonly")? == "yes";
    let saves = patient.config("save").unwrap_or_default();
    let told = match (is_logged, saves) {
        (true, _) => format!(
            "a log, synced {}",
            patient.config("appendfsync").unwrap_or_default()
        ),
        (false, "") => {
            "none: a restart begins with nothing, so with nothing that is old".to_owned()
        }
        (false, saves) => format!("snapshots ({saves})"),
    };
    let comes_back = is_logged || !saves.is_empty();
    let (level, problem, remedy) = match patient.args.on_failover {
        _ if !comes_back => return Some(Finding::ok("persistence", told)),
        OnFailover::Epoch => return Some(Finding::ok("persistence", told)),
        OnFailover::Replay if is_logged => return Some(Finding::ok("persistence", told)),
        OnFailover::Replay => (
            Level::Warning,
            "a restart brings back what was invalidated since the last one; `Replay` repeats the last 30 s alone",
            "CONFIG SET save \"\" if the server is a cache alone; else `on_failover(OnFailover::Epoch)`",
        ),
        _ => (
            Level::Warning,
            "a restart may bring back what was invalidated, and it is served until its TTL",
            "take `OnFailover::Replay`, or `Epoch` where there are snapshots; or CONFIG SET save \"\"",
        ),
    };
    Some(Finding::of(
        level,
        "persistence",
        format!("{told}: {problem}"),
        remedy,
    ))
}
