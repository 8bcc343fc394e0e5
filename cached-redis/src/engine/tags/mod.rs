//! The tags of an entry against those of now: see [`tag`](crate::wire::tag).

mod look;
mod stamp;
#[cfg(test)]
mod tests;

pub(crate) use look::{Generations, Life, alive, judge_all, judge_kept, keys, look, look_all};
pub(crate) use stamp::{Basis, Stamp, Stamps};
