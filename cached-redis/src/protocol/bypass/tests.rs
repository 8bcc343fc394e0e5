use futures_util::FutureExt as _;

use super::*;

const BUDGET: Duration = Duration::from_secs(600);

fn lead(bypasses: &Arc<Bypasses>) -> BypassLoad {
    match bypasses.enter("k", Instant::now(), Instant::now(), BUDGET) {
        Place::Lead(load) => load,
        Place::Seat(_) => unreachable!("none that came after it"),
    }
}

#[tokio::test]
async fn a_load_waits_for_others_of_its_moment_only_where_there_were_some() {
    let bypasses = Arc::<Bypasses>::default();
    let begins_at_once = || {
        let load = lead(&bypasses);
        let begins = load.start().now_or_never().is_some();
        load.land(Landing::Again);
        begins
    };
    assert!(!begins_at_once(), "nobody knows yet");
    assert!(begins_at_once() && begins_at_once());
    let came = Instant::now();
    let load = lead(&bypasses);
    let seat = bypasses.enter("k", came, Instant::now(), BUDGET);
    assert!(matches!(seat, Place::Seat(_)));
    load.land(Landing::Again);
    drop(seat);
    assert!(!begins_at_once(), "somebody had come");
    assert!(begins_at_once());
    let running = lead(&bypasses);
    let next = lead(&bypasses);
    assert!(next.start().now_or_never().is_none(), "one after the other");
    running.land(Landing::Again);
    drop(next);
    assert!(bypasses.keys.lock().is_empty());
}
