use std::cell::Cell;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;
use crate::engine::handle::Inner;
use crate::store::faults::Faults;

/// What the function was given: says when it is dropped how much is under way then.
struct Given<'a>(&'a Inner, &'a Cell<usize>);

impl Drop for Given<'_> {
    fn drop(&mut self) {
        self.1.set(self.0.runtime.work.tasks());
    }
}

#[tokio::test]
async fn one_that_is_given_up_as_it_begins_drops_what_it_was_given_before_it_is_sent() {
    let faults = Faults::seeded(1).delay(1.0, Duration::from_secs(600));
    let builder = Cache::builder().url("memory://").faults(faults);
    let cache = builder.build().await.unwrap();
    let under_way = Cell::new(0);
    let given = Given(&cache.inner, &under_way);
    let (through, policy) = (
        Through::direct(&cache, "key".to_owned(), Label::default()),
        Policy::new().ttl(Duration::from_secs(60)),
    );
    let mut call = Box::pin(by_hand(through, &policy, move || async move {
        let _given = given;
        Ok::<u8, ()>(1)
    }));
    assert!(call.as_mut().now_or_never().is_none(), "it begins");
    drop(call);
    let sent = cache.inner.runtime.work.tasks() - under_way.get();
    assert_eq!(sent, 1, "an invalidation after that");
}
