//! The flows of writers: invalidations, now or at a commit, in one phase or two, repeated until the
//! store confirms them; and writes that bring their value.

pub(crate) mod after_commit;
pub(crate) mod attempt;
pub(crate) mod attributes;
pub(crate) mod behind;
pub(crate) mod call;
pub(crate) mod clear;
pub(crate) mod dispatch;
pub(crate) mod ending;
pub(crate) mod guard;
pub(crate) mod guarded;
pub(crate) mod invalidate;
pub(crate) mod invalidation;
pub(crate) mod lock;
pub(crate) mod parcel;
pub(crate) mod publish;
pub(crate) mod removal;
pub(crate) mod replay;
pub(crate) mod request;
pub(crate) mod settle;
pub(crate) mod start;
pub(crate) mod step;
pub(crate) mod through;
pub(crate) mod update;
pub(crate) mod update_versioned;
