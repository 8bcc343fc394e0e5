use super::*;
use crate::observe::status::Status;

#[tokio::test]
async fn wishes_meet_and_the_first_call_takes_them() {
    let call = async {
        let wish = take();
        report(CacheInfo {
            status: Status::Hit,
            ..CacheInfo::default()
        });
        (wish.mode, wish.info, take().mode)
    };
    let (seen, info) = call.refreshed().with_info().await;
    assert_eq!(seen, (Mode::Refreshed, true, Mode::Cached));
    assert_eq!(info.status(), Status::Hit);
}

#[tokio::test]
async fn a_future_without_a_call_is_a_bypass() {
    let (value, info) = async { 1 }.with_info().await;
    assert_eq!((value, info.status()), (1, Status::Bypass));
}
