//! Runs a program, to its end and to rest.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use cached_redis::testing::Recorded;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::oracle::{Binds, Returned};
use crate::program::{Action, Program, Step, Wish};
use crate::scene::Scene;

/// A store on which programs run.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    /// With a held clock.
    Memory,
    /// A database of a server, by its address.
    Redis(String),
}

/// What happened, by its name; to see that there was something to find.
pub(crate) type Seen = BTreeMap<&'static str, usize>;

/// Runs it in a runtime of its own; what was wrong.
pub(crate) fn run(program: &Program, store: &Store) -> Result<Seen, String> {
    fastrand::seed(program.seed);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = match store {
        Store::Memory => runtime.enable_time().start_paused(true).build(),
        Store::Redis(_) => runtime.enable_all().build(),
    };
    let tasks = LocalSet::new();
    runtime.unwrap().block_on(tasks.run_until(async {
        let scene = Rc::new(Scene::new(program, store).await);
        let task = |steps: &Vec<Step>| {
            let (scene, steps) = (Rc::clone(&scene), steps.clone());
            tokio::task::spawn_local(async move {
                for step in &steps {
                    scene.step(step).await;
                }
            })
        };
        for task in program.tasks.iter().map(task).collect::<Vec<_>>() {
            task.await.map_err(|panic| panic.to_string())?;
        }
        scene.come_to_rest().await;
        scene.read_all(program).await;
        scene.verdict()
    }))
}

impl Scene {
    /// Everything that is on its way arrives.
    async fn come_to_rest(&self) {
        for process in self.processes.values() {
            process.faults.heal();
            process.truth.calm();
        }
        sleep(Duration::from_millis(if self.held { 600 } else { 20 })).await;
        for process in self.processes.values() {
            let mut attempts = 0;
            while !process.flush().await {
                attempts += 1;
                assert!(attempts < 200, "what was deferred is never replayed");
            }
        }
        // A real network gives no time by which it has all arrived.
        for (truth, late) in self.late.lock().unwrap().drain(..).filter(|_| self.held) {
            let late = Returned {
                binds: Binds::All,
                ..late
            };
            truth.returned.lock().unwrap().push(late);
        }
    }

    /// What is kept is as good as what was served.
    async fn read_all(&self, program: &Program) {
        let asked = |step: &Step| match &step.action {
            Action::Read(reader, id, _) | Action::Forget(reader, id) => Some((*reader, *id)),
            _ => None,
        };
        let asked: BTreeMap<_, _> = program
            .steps()
            .filter_map(asked)
            .map(|(reader, id)| ((reader.name, id), reader))
            .collect();
        for ((_, id), reader) in asked {
            for process in self.processes.values() {
                let place = process.place();
                self.read(process, &place, reader, id, Wish::Cached, None)
                    .await;
            }
        }
    }

    fn verdict(&self) -> Result<Seen, String> {
        let wrong = self.wrong.lock().unwrap();
        match wrong.first() {
            Some(first) => Err(first.clone()),
            None => Ok(self.seen()),
        }
    }

    fn seen(&self) -> Seen {
        use Recorded::*;
        let all = [
            ("hit", Hit),
            ("joined", Joined),
            ("stale", Stale),
            ("renewing", Renewing),
            ("bypass", Bypass),
            ("refused", RefusedFill),
            ("outdated", Outdated),
            ("marked", Marked),
            ("deferred", Deferred),
            ("replayed", Replayed),
            ("audited", AuditedFresh),
        ];
        let count = |event| {
            self.processes
                .values()
                .map(|process| process.recorder.count(event))
                .sum()
        };
        all.into_iter()
            .map(|(name, event)| (name, count(event)))
            .collect()
    }
}
