//! Makes a program that fails shorter, as long as it fails.

use crate::program::{Action, Program, Weather, Wish};
use crate::runner::{Store, run};

/// A shorter program fails by other pauses, so each is tried with so many seeds.
const SEEDS: u64 = 40;

/// The shortest that was found, with the seed that repeats it, and what is wrong.
pub(crate) fn shrink(mut program: Program, mut wrong: String, store: &Store) -> (Program, String) {
    'shorter: loop {
        for candidate in shorter(&program) {
            if let Some((found, what)) = fails(candidate, store) {
                (program, wrong) = (found, what);
                continue 'shorter;
            }
        }
        return (program, wrong);
    }
}

fn fails(program: Program, store: &Store) -> Option<(Program, String)> {
    let seed = program.seed;
    (seed..seed + SEEDS).find_map(|seed| {
        let program = Program {
            seed,
            ..program.clone()
        };
        run(&program, store).err().map(|wrong| (program, wrong))
    })
}

/// Everything that is a little less.
fn shorter(program: &Program) -> Vec<Program> {
    let mut shorter = Vec::new();
    let mut with = |change: &dyn Fn(&mut Program)| {
        let mut less = program.clone();
        change(&mut less);
        shorter.push(less);
    };
    for task in 0..program.tasks.len() {
        with(&|less| drop(less.tasks.remove(task)));
    }
    for (task, steps) in program.tasks.iter().enumerate() {
        for at in 0..steps.len() {
            with(&|less| drop(less.tasks[task].remove(at)));
        }
    }
    if program.weather != Weather::Fair {
        with(&|less| less.weather = Weather::Fair);
    }
    for (task, steps) in program.tasks.iter().enumerate() {
        for (at, step) in steps.iter().enumerate() {
            if step.polls.is_some() {
                with(&|less| less.tasks[task][at].polls = None);
            }
            if step.pause > 0 {
                with(&|less| less.tasks[task][at].pause = 0);
            }
            match &step.action {
                Action::Read(.., wish) if *wish != Wish::Cached => with(&|less| {
                    if let Action::Read(.., wish) = &mut less.tasks[task][at].action {
                        *wish = Wish::Cached;
                    }
                }),
                Action::Transaction(writes, reads, _) => {
                    for one in 1..writes.len() {
                        with(&|less| {
                            if let Action::Transaction(writes, ..) =
                                &mut less.tasks[task][at].action
                            {
                                writes.remove(one);
                            }
                        });
                    }
                    for one in 0..reads.len() {
                        with(&|less| {
                            if let Action::Transaction(_, reads, _) =
                                &mut less.tasks[task][at].action
                            {
                                reads.remove(one);
                            }
                        });
                    }
                }
                _ => {}
            }
        }
    }
    shorter.retain(|less| !less.tasks.is_empty());
    shorter
}
