//! What a sample of the keys goes through, written down for the model to replay.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cached_redis::testing::Trace;
use protocol_model::{Server, replay};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::PROCESSES;
use crate::faults::Weather;

/// One of each kind, and none of the hottest.
const SAMPLE: std::ops::Range<u64> = 8..16;

/// Where a process writes.
#[derive(Clone)]
pub(crate) struct Log {
    process: usize,
    file: Arc<Mutex<BufWriter<File>>>,
}

/// The machine's clock, which all processes share and nobody sets.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).expect("the machine has begun")
}

impl Log {
    pub(crate) fn create(folder: &str, process: usize) -> Self {
        let file = File::create(Path::new(folder).join(process.to_string()));
        let file = BufWriter::new(file.expect("the folder is there"));
        Self {
            process,
            file: Arc::new(Mutex::new(file)),
        }
    }

    /// What a cache goes through.
    pub(crate) fn trace(&self) -> Trace {
        let log = self.clone();
        let wanted = |key: &str| {
            let numbers = key.split(':').filter_map(|part| part.parse().ok());
            numbers.into_iter().any(|number| SAMPLE.contains(&number))
        };
        Trace::new(wanted, move |event| log.write(event))
    }

    pub(crate) fn read(&self, key: u64, began: u64, version: Option<u64>) {
        self.about(
            key,
            || json!({"Read": {"subject": key, "began": began, "version": version}}),
        );
    }

    pub(crate) fn write_of(&self, key: u64, version: u64, confirmed: bool) {
        self.about(
            key,
            || json!({"Write": {"subject": key, "version": version, "confirmed": confirmed}}),
        );
    }

    pub(crate) fn replayed(&self, key: u64, version: u64) {
        self.about(
            key,
            || json!({"Replayed": {"subject": key, "version": version}}),
        );
    }

    fn about(&self, key: u64, event: impl FnOnce() -> Value) {
        if SAMPLE.contains(&key) {
            self.write(&event().to_string());
        }
    }

    fn write(&self, event: &str) {
        let (at, process) = (now(), self.process);
        let mut file = self.file.lock().expect("nothing panics meanwhile");
        writeln!(file, "{at} {process} {event}").expect("there is room");
    }

    pub(crate) fn close(&self) {
        let mut file = self.file.lock().expect("nothing panics meanwhile");
        file.flush().expect("there is room");
    }
}

/// The logs of one run, which stay if the model refuses them, or where `STRESS_LOG` says.
pub(crate) struct Logs(PathBuf);

impl Logs {
    pub(crate) fn new(weather: Weather) -> Self {
        let folder = format!("stress-{}-{weather}", std::process::id());
        let kept = std::env::var_os("STRESS_LOG").map(PathBuf::from);
        let folder = kept
            .unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into())
            .join(folder);
        fs::create_dir_all(&folder).expect("it can be made");
        Self(folder)
    }

    pub(crate) fn folder(&self) -> &str {
        self.0.to_str().expect("this package has a readable path")
    }

    /// Replays them; whether the model refuses them.
    pub(crate) fn are_refused(&self, weather: Weather) -> bool {
        let files = fs::read_dir(&self.0).expect("it was made");
        let texts = files.map(|file| fs::read_to_string(file.expect("it is there").path()));
        let log: String = texts.map(|text| text.expect("a text")).collect();
        let server = match weather {
            Weather::Calm | Weather::Shared => Server::Lives,
            Weather::Stormy | Weather::Moving | Weather::Watched => Server::Fails,
        };
        match replay(&log, server) {
            // Each process reads, writes and takes steps, or nothing would be compared.
            Ok(replayed) if replayed.is_of(PROCESSES) => {
                println!("replayed by the model: {replayed}\n")
            }
            Ok(replayed) => {
                println!("the log is not that of {PROCESSES} processes: {replayed}");
                return true;
            }
            Err(refused) => {
                let path = self.0.with_extension("log");
                fs::write(&path, &log).expect("there is room");
                println!("{}, {refused}", path.display());
                return true;
            }
        }
        if std::env::var_os("STRESS_LOG").is_none() {
            fs::remove_dir_all(&self.0).expect("nobody else uses it");
        }
        false
    }
}
