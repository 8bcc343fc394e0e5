//! Several futures at once, in one task.

use std::future::poll_fn;
use std::task::Poll;

/// Awaits all of `futures`; what they gave, in their order.
pub async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let running = futures.into_iter().map(|future| (Box::pin(future), None));
    let mut running: Vec<_> = running.collect();
    poll_fn(|cx| {
        for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(cx) {
                *output = Some(ready);
            }
        }
        match running.iter().all(|(_, output)| output.is_some()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    running
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}
