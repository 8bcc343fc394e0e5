//! Futures of one type. What returns one is compiled once: the body of an `async fn` would be compiled anew in
//! every program that awaits it from a function of its own.

use std::pin::Pin;

/// A future that can be sent.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
