//! Puts the parts together: every configuration is a model to explore.

use crate::actor::Stage;
use crate::checker::{Model, Step};
use crate::config::Config;
use crate::event::{Event, Flaw};
use crate::state::{Key, PROCESSES, READERS, State, WRITERS};
use crate::step::Steps;
use crate::{bypass, load, nested, refresh, search, tag, world, writer};

impl Model for Config {
    type State = State;
    type Event = Event;
    type Flaw = Flaw;

    fn initial(&self) -> State {
        State::initial()
    }

    fn steps(&self, state: &State, list: &mut Vec<Step<State, Event, Flaw>>) {
        let mut steps = Steps::new(self, state, list);
        for reader in 0..READERS {
            search::steps(&mut steps, reader);
            load::steps(&mut steps, reader);
            tag::steps(&mut steps, reader);
            nested::steps(&mut steps, reader);
            bypass::steps(&mut steps, reader);
            refresh::steps(&mut steps, reader);
            bypass::drop_steps(&mut steps, reader);
        }
        for writer in 0..WRITERS {
            writer::steps(&mut steps, writer);
        }
        world::steps(&mut steps);
    }

    /// Once nothing is under way, no old value may be left: nobody would remove it before its TTL.
    fn flaw(&self, state: &State) -> Option<Flaw> {
        let readers = state.readers.iter().all(|reader| reader.phase.is_quiet());
        let writers = state
            .writers
            .iter()
            .all(|writer| matches!(writer.stage, Stage::Idle | Stage::Done | Stage::Dead));
        let source = !self.lag || state.row_replica == state.row;
        let connected = !(0..PROCESSES).any(|at| state.lags(at));
        match state.key {
            Key::Value { version, .. }
                if readers && writers && source && connected && version != state.row =>
            {
                let usable = (0..PROCESSES)
                    .any(|process| !self.is_dead(state, state.key, process, state.shown_tag()));
                usable.then_some(Flaw::Stranded {
                    kept: version,
                    row: state.row,
                })
            }
            _ => None,
        }
    }

    fn kind(event: Event) -> u8 {
        event.what as u8
    }
}
