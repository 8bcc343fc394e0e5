//! What a batch returns.

use std::marker::PhantomData;

use crate::engine::copies::Sharing;
use crate::engine::id_map::IdMap;
use crate::engine::shape::Shape;
use crate::wire::codec::Equal;
use crate::wire::form::Form;

pub(super) type Id<S> = <<S as Shape>::Ok as IdMap>::Id;
pub(super) type Value<S> = <<S as Shape>::Ok as IdMap>::Value;

/// The shape of a batch, which also knows how each of its values is stored.
pub trait Many: Shape<Ok: IdMap> {
    /// What is encoded of a value.
    type Stored;

    /// The part of a value that is encoded.
    fn stored(value: &Value<Self>) -> &Self::Stored;
    /// The value of what was decoded.
    fn restored(stored: Self::Stored) -> Value<Self>;
    /// How two of what is encoded are compared, where that is known.
    fn equal_stored(&self) -> Equal<Self::Stored>;
    /// How values are kept decoded, where they can be.
    fn sharing_each(&self) -> Sharing<Value<Self>>;
}

/// The shape `S`, each value in the form `F`.
#[derive(Debug)]
pub struct Each<S: Shape<Ok: IdMap>, F: Form<Value<S>>> {
    equal: Equal<F::Stored>,
    sharing: Sharing<Value<S>>,
    types: PhantomData<fn() -> (S, F)>,
}

impl<S: Shape<Ok: IdMap>, F: Form<Value<S>>> Each<S, F> {
    /// With what a probe has found.
    #[must_use]
    pub fn new(_: S, _: F, equal: Equal<F::Stored>) -> Self {
        Self {
            equal,
            sharing: None,
            types: PhantomData,
        }
    }

    /// The same with what another probe has found.
    #[must_use]
    pub fn shared(self, sharing: Sharing<Value<S>>) -> Self {
        Self { sharing, ..self }
    }
}

impl<S: Shape<Ok: IdMap>, F: Form<Value<S>>> Clone for Each<S, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Shape<Ok: IdMap>, F: Form<Value<S>>> Copy for Each<S, F> {}

impl<S: Shape<Ok: IdMap>, F: Form<Value<S>>> Shape for Each<S, F> {
    type Return = S::Return;
    type Ok = S::Ok;
    type Value = S::Value;
    type Error = S::Error;

    fn result(returned: S::Return) -> Result<S::Ok, S::Error> {
        S::result(returned)
    }
    fn value(ok: &S::Ok) -> Option<&S::Value> {
        S::value(ok)
    }
    fn ok(value: Option<S::Value>) -> Option<S::Ok> {
        S::ok(value)
    }
    fn returned(result: Result<S::Ok, S::Error>) -> S::Return {
        S::returned(result)
    }
}

impl<S: Shape<Ok: IdMap>, F: Form<Value<S>>> Many for Each<S, F> {
    type Stored = F::Stored;

    fn stored(value: &Value<S>) -> &F::Stored {
        F::stored(value)
    }
    fn restored(stored: F::Stored) -> Value<S> {
        F::restored(stored)
    }
    fn equal_stored(&self) -> Equal<F::Stored> {
        self.equal
    }
    fn sharing_each(&self) -> Sharing<Value<S>> {
        self.sharing
    }
}
