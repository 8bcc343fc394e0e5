//! Futures of one type. What returns one is compiled once: the body of an `async fn` would be compiled anew in
//! every program that awaits it from a function of its own.

use std::pin::Pin;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// A future that can be sent.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Spawns a task. A runtime's part in it is compiled for each type of future.
pub(crate) fn spawn<F>(runtime: &Handle, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    runtime.spawn(Box::pin(future) as Boxed<'static, F::Output>)
}
