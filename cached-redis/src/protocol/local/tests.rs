use std::time::{Duration, Instant};

use super::*;

impl Time for Instant {
    type Span = Duration;

    fn since(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

const DELTA: Duration = Duration::from_secs(1);
const LOCAL: Duration = Duration::from_secs(10);

#[test]
fn an_item_is_served_until_delta_after_the_horizon_is_over() {
    let sent = Instant::now();
    let mut link = Link::new();
    let life = Life::new(&AllRules, &link, sent, LOCAL, LOCAL);
    let lasts = |link: &Link<_>, now| life.lasts(&AllRules, link, now, DELTA);
    assert!(lasts(&link, sent + DELTA));
    let after = sent + DELTA + Duration::from_nanos(1);
    assert!(!lasts(&link, after));
    link.answered(&AllRules, after, after + LOCAL);
    assert!(lasts(&link, after));
}

#[test]
fn no_moment_belongs_to_one_who_serves_and_to_one_who_has_waited() {
    let link = Link::new();
    let then = Instant::now();
    let life = Life::new(&AllRules, &link, then, LOCAL, LOCAL);
    let settling = Settling::Sent(then).confirmed(&AllRules, then);
    for nanos in [0, 999_999_999, 1_000_000_000, 1_000_000_001] {
        let now = then + Duration::from_nanos(nanos);
        let settled = settling.told(&AllRules, now, DELTA) == Settled::Yes;
        assert_ne!(life.lasts(&AllRules, &link, now, DELTA), settled);
    }
}

#[test]
fn an_item_lives_no_longer_than_in_the_store_or_than_it_is_kept() {
    let (sent, second) = (Instant::now(), Duration::from_secs(1));
    let link = Link::new();
    for (local, rest) in [(second, LOCAL), (LOCAL, second)] {
        let life = Life::new(&AllRules, &link, sent, local, rest);
        let lasts = |after| life.lasts(&AllRules, &link, sent + after, LOCAL);
        assert!(lasts(second - Duration::from_nanos(1)));
        assert!(!lasts(second));
    }
}

#[test]
fn what_voids_everything_ends_what_is_kept_and_what_is_asked_for() {
    let sent = Instant::now();
    for notice in [Notice::Flushed, Notice::Lost, Notice::Moved] {
        assert_eq!(notice.voids(&AllRules), Voids::<()>::All);
    }
    let (mut link, shard) = (Link::new(), Shard::default());
    let ticket = shard.ticket(&link);
    let life = Life::new(&AllRules, &link, sent, LOCAL, LOCAL);
    assert!(shard.keeps(&AllRules, &link, ticket, Origin::Read));
    link.void();
    assert!(!shard.keeps(&AllRules, &link, ticket, Origin::Read));
    assert!(!life.lasts(&AllRules, &link, sent, DELTA));
}

#[test]
fn an_entry_that_is_checked_stands_as_long_as_all_that_tells_it_apart() {
    let kept = Stamp {
        token: 1,
        generations: [2, 3],
        epoch: 4,
    };
    assert!(kept.stands(&AllRules, &kept));
    for told in [
        Stamp { token: 0, ..kept },
        Stamp {
            generations: [2, 0],
            ..kept
        },
        Stamp { epoch: 5, ..kept },
    ] {
        assert!(!kept.stands(&AllRules, &told));
    }
}

#[test]
fn an_entry_whose_generation_is_not_kept_is_not_served() {
    assert!(is_current(&AllRules, &1, Some(&1)));
    assert!(!is_current(&AllRules, &1, Some(&2)));
    assert!(!is_current(&AllRules, &1, None));
}
