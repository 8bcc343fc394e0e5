//! What was written: the arguments of an attribute, templates, and the function under it.

pub(crate) mod args;
pub(crate) mod attributes;
pub(crate) mod boxing;
pub(crate) mod cfg;
pub(crate) mod errors;
pub(crate) mod option;
pub(crate) mod parameter;
pub(crate) mod piece;
pub(crate) mod signature;
pub(crate) mod syntax;
pub(crate) mod tags;
pub(crate) mod template;
pub(crate) mod text;
pub(crate) mod words;
