use super::*;

fn total(settled: Option<Settled>) -> Option<usize> {
    settled.map(|settled| settled.deferred + settled.repeated)
}

fn keys(names: &[&str]) -> Targets {
    let keys: Vec<_> = names.iter().map(ToString::to_string).collect();
    keys.into()
}

fn pattern(text: &str) -> Targets {
    Pattern::new("it", text).into()
}

fn next_targets(journal: &Journal) -> (Attempt, Targets) {
    let work = journal.next().expect("something is kept");
    match work.target {
        Target::Some(targets) => (work.attempt, targets),
        Target::Namespace => panic!("instead of some"),
    }
}

fn next_sweep(journal: &Journal) -> Attempt {
    let work = journal.next().expect("something is kept");
    assert_eq!(work.target, Target::Namespace);
    work.attempt
}

fn bypassed(journal: &Journal, key: &str) -> bool {
    journal.pass(key).is_none()
}

#[test]
fn a_key_is_bypassed_from_its_failed_invalidation_to_its_replay() {
    let journal = Journal::new(9, true);
    let failed = journal.begin();
    assert!(!bypassed(&journal, "k"));
    assert!(!journal.keep(failed, &keys(&["k"]), None));
    assert!(bypassed(&journal, "k") && !bypassed(&journal, "other"));
    let (replay, kept) = next_targets(&journal);
    assert_eq!(kept, keys(&["k"]));
    assert!(bypassed(&journal, "k"));
    assert_eq!(total(journal.confirm(replay, &kept)), Some(1));
    assert!(!bypassed(&journal, "k") && journal.pending().is_empty());
    assert!(journal.next().is_none());
}

#[test]
fn what_failed_together_is_repeated_together_and_settled_apart_from_the_rest() {
    let journal = Journal::new(9, true);
    let mut both = keys(&["a"]);
    both.extend(pattern("b:*"));
    journal.keep(journal.begin(), &both, None);
    journal.keep(journal.begin(), &keys(&["c"]), None);
    let targets = |work: &Work| match &work.target {
        Target::Some(targets) => targets.clone(),
        Target::Namespace => panic!("instead of some"),
    };
    let works = journal.next_apart();
    assert_eq!(
        works.iter().map(targets).collect::<Vec<_>>(),
        [both, keys(&["c"])]
    );
    assert_eq!(
        total(journal.confirm(works[1].attempt, &keys(&["c"]))),
        Some(1)
    );
    assert!(bypassed(&journal, "a") && bypassed(&journal, "it:b:1") && !bypassed(&journal, "c"));

    for number in 0..10 {
        journal.keep(journal.begin(), &keys(&[&number.to_string()]), None);
    }
    let works = journal.next_apart();
    assert!(matches!(works.as_slice(), [one] if one.target == Target::Namespace));
}

#[test]
fn a_held_key_is_bypassed_until_all_who_hold_it_have_ended() {
    let journal = Journal::new(9, true);
    let (mut first, mut second) = (Hold::new(&journal), Hold::new(&journal));
    assert_eq!(first.add(keys(&["a", "b", "a"])), keys(&["a", "b"]));
    assert_eq!(second.add(keys(&["b"])), keys(&["b"]));
    assert!(bypassed(&journal, "a") && bypassed(&journal, "b") && !bypassed(&journal, "c"));
    assert!(journal.pending().is_empty() && journal.next().is_none());
    drop(first);
    assert!(!bypassed(&journal, "a") && bypassed(&journal, "b"));
    // Neither a replay nor a confirmation releases it, and releasing it settles nothing.
    journal.keep(journal.begin(), &keys(&["b"]), None);
    drop(second);
    assert!(bypassed(&journal, "b"));
    let (replay, kept) = next_targets(&journal);
    let _third = {
        let mut third = Hold::new(&journal);
        third.add(keys(&["b"]));
        third
    };
    assert_eq!(total(journal.confirm(replay, &kept)), Some(1));
    assert!(bypassed(&journal, "b"));
}

#[test]
fn a_value_that_was_stored_settles_nothing_and_is_removed_when_the_server_is_replaced() {
    let journal = Journal::new(9, true);
    journal.keep(journal.begin(), &keys(&["k"]), None);
    let put = journal.begin();
    assert!(journal.replaced(put, &keys(&["k"])));
    assert!(
        bypassed(&journal, "k"),
        "it may have been committed after the value"
    );
    let (replay, kept) = next_targets(&journal);
    assert_eq!(total(journal.confirm(replay, &kept)), Some(1));
    assert!(journal.replaced(journal.begin(), &keys(&["other"])));
    let across = journal.begin();
    journal.connected(true);
    assert!(bypassed(&journal, "other"));
    assert!(!journal.replaced(across, &keys(&["k"])));
}

#[test]
fn an_answer_to_an_older_replay_does_not_settle_a_newer_invalidation() {
    let journal = Journal::new(9, true);
    journal.keep(journal.begin(), &keys(&["a", "b"]), None);
    let (replay, kept) = next_targets(&journal);
    // Committed after the replay was sent.
    journal.keep(journal.begin(), &keys(&["a"]), None);
    assert_eq!(total(journal.confirm(replay, &kept)), Some(0));
    assert!(bypassed(&journal, "a") && bypassed(&journal, "b"));
    let (replay, kept) = next_targets(&journal);
    assert_eq!(kept, keys(&["a", "b"]), "they stay one thing");
    assert_eq!(total(journal.confirm(replay, &kept)), Some(2));
}

#[test]
fn an_invalidation_that_started_later_settles_an_older_one() {
    let journal = Journal::new(9, true);
    let (older, newer) = (journal.begin(), journal.begin());
    journal.keep(older, &keys(&["k"]), None);
    assert_eq!(total(journal.confirm(newer, &keys(&["k"]))), Some(1));
    assert!(!bypassed(&journal, "k"));
    // The other way round it proves nothing.
    let (older, newer) = (journal.begin(), journal.begin());
    journal.keep(newer, &keys(&["k"]), None);
    assert_eq!(total(journal.confirm(older, &keys(&["k"]))), Some(0));
    assert!(bypassed(&journal, "k"));
}

#[test]
fn an_overflow_bypasses_everything_until_a_sweep_that_started_after_it() {
    let journal = Journal::new(2, true);
    journal.keep(journal.begin(), &keys(&["a", "b"]), None);
    assert!(!bypassed(&journal, "c"));
    assert!(journal.keep(journal.begin(), &keys(&["c"]), None));
    assert!(bypassed(&journal, "whatever") && journal.pending().namespace);
    let sweep = next_sweep(&journal);
    // While it runs: one more key, and then too many again.
    assert!(!journal.keep(journal.begin(), &keys(&["d", "e", "f"]), None));
    assert_eq!(total(journal.confirm_all(sweep)), Some(0));
    assert!(
        bypassed(&journal, "a"),
        "the sweep is older than the second overflow"
    );
    let sweep = next_sweep(&journal);
    journal.keep(journal.begin(), &keys(&["g"]), None);
    assert_eq!(total(journal.confirm_all(sweep)), Some(6));
    assert!(!bypassed(&journal, "a") && bypassed(&journal, "g"));
    assert_eq!(next_targets(&journal).1, keys(&["g"]));
}

#[test]
fn what_an_earlier_server_confirmed_counts_for_nothing() {
    let journal = Journal::new(9, false);
    journal.keep(journal.begin(), &keys(&["k"]), None);
    let (replay, kept) = next_targets(&journal);
    journal.connected(true);
    assert_eq!(total(journal.confirm(replay, &kept)), None);
    assert!(bypassed(&journal, "k"));
    let (replay, kept) = next_targets(&journal);
    journal.connected(false);
    assert_eq!(
        total(journal.confirm(replay, &kept)),
        Some(1),
        "the same server"
    );
}

#[test]
fn keys_that_match_are_bypassed_until_their_pattern_is_replayed() {
    let (journal, a) = (Journal::new(9, true), pattern("a:*"));
    assert!(!journal.keep(journal.begin(), &a, None));
    assert!(bypassed(&journal, "it:a:1") && !bypassed(&journal, "it:b:1"));
    journal.keep(journal.begin(), &keys(&["it:b:1"]), None);
    let (attempt, both) = next_targets(&journal);
    assert_eq!(both, [keys(&["it:b:1"]), a.clone()].into_iter().collect());
    // Committed after the sweep began.
    journal.keep(journal.begin(), &a, None);
    let settled = journal.confirm(attempt, &both);
    assert_eq!(total(settled), Some(1), "the key");
    let (replay, kept) = next_targets(&journal);
    assert!(kept == a && bypassed(&journal, "it:a:1"));
    assert_eq!(total(journal.confirm(replay, &a)), Some(1));
    assert!(!bypassed(&journal, "it:a:1") && journal.pending().is_empty());
}

#[test]
fn a_sweep_of_a_pattern_across_a_change_of_server_counts_for_nothing() {
    let (journal, a) = (Journal::new(9, true), pattern("a:*"));
    let sweep = journal.begin();
    journal.connected(true);
    assert_eq!(total(journal.confirm(sweep, &a)), None);
    let sweep = journal.begin();
    assert_eq!(total(journal.confirm(sweep, &a)), Some(0));
    // Nor does one that was confirmed of late.
    journal.connected(true);
    assert!(bypassed(&journal, "it:a:1"));
    let (replay, _) = next_targets(&journal);
    assert_eq!(total(journal.confirm(replay, &a)), Some(1));
    assert!(!bypassed(&journal, "it:a:1"));
}

#[test]
fn a_sweep_across_a_change_of_server_counts_for_nothing() {
    let journal = Journal::new(0, false);
    journal.keep(journal.begin(), &keys(&["k"]), None);
    let sweep = next_sweep(&journal);
    journal.connected(true);
    assert_eq!(total(journal.confirm_all(sweep)), None);
    assert!(bypassed(&journal, "k"));
}

#[test]
fn what_was_seen_across_a_change_of_server_is_not_used() {
    let journal = Journal::new(9, true);
    let pass = journal.pass("k").unwrap();
    journal.connected(false);
    journal.keep(journal.begin(), &keys(&["other"]), None);
    assert!(journal.stands(pass));
    journal.connected(true);
    assert!(!journal.stands(pass));
    assert!(journal.stands(journal.pass("k").unwrap()));
}

#[tokio::test(start_paused = true)]
async fn the_last_30_seconds_are_kept_again_after_a_change_of_server() {
    let journal = Journal::new(9, true);
    journal.connected(false);
    journal.confirm(journal.begin(), &keys(&["old"]));
    tokio::time::advance(Duration::from_secs(1)).await;
    journal.confirm(journal.begin(), &keys(&["young"]));
    tokio::time::advance(Duration::from_millis(29_500)).await;
    journal.connected(false);
    assert!(journal.pending().is_empty());
    journal.connected(true);
    assert!(!bypassed(&journal, "old") && bypassed(&journal, "young"));
    // Confirmed by the new server, it is remembered anew.
    let (replay, kept) = next_targets(&journal);
    assert_eq!(total(journal.confirm(replay, &kept)), Some(1));
    tokio::time::advance(Duration::from_secs(29)).await;
    journal.connected(true);
    assert!(bypassed(&journal, "young"));
}

#[tokio::test(start_paused = true)]
async fn nothing_that_was_confirmed_ages_while_there_is_no_connection() {
    let (journal, second) = (Journal::new(9, true), Duration::from_secs(1));
    journal.connected(false);
    journal.confirm(journal.begin(), &keys(&["old"]));
    tokio::time::advance(second * 10).await;
    journal.confirm(journal.begin(), &keys(&["young"]));
    // Two outages, each longer than what is remembered; the first one ends at the same server.
    for outage in [35, 350] {
        tokio::time::advance(second * 10).await;
        journal.lost(Instant::now());
        tokio::time::advance(second * outage).await;
        journal.connected(outage == 350);
    }
    assert!(bypassed(&journal, "young"), "20 s old, without the outages");
    assert!(bypassed(&journal, "old"), "30 s old");
    let (replay, kept) = next_targets(&journal);
    journal.confirm(replay, &kept);
    tokio::time::advance(second * 31).await;
    journal.connected(true);
    assert!(!bypassed(&journal, "young"), "time goes on again");
}

#[tokio::test(start_paused = true)]
async fn a_connection_counts_up_to_its_last_sign_of_life() {
    let (journal, second) = (Journal::new(9, true), Duration::from_secs(1));
    journal.connected(false);
    journal.confirm(journal.begin(), &keys(&["k"]));
    tokio::time::advance(second * 10).await;
    let seen = Instant::now();
    tokio::time::advance(second * 60).await;
    journal.lost(seen);
    journal.connected(true);
    assert!(bypassed(&journal, "k"));
}

#[tokio::test(start_paused = true)]
async fn more_in_30_seconds_than_can_be_remembered_is_the_whole_namespace() {
    let journal = Journal::new(2, true);
    journal.connected(false);
    journal.confirm(journal.begin(), &keys(&["a", "b", "c"]));
    assert!(journal.pending().is_empty());
    journal.connected(true);
    assert!(bypassed(&journal, "whatever"));
    assert_eq!(total(journal.confirm_all(next_sweep(&journal))), Some(3));
    // That sweep is as easily undone.
    journal.connected(true);
    assert!(bypassed(&journal, "whatever"));
    journal.confirm_all(next_sweep(&journal));
    tokio::time::advance(recent::REMEMBERED + Duration::from_secs(1)).await;
    journal.connected(true);
    assert!(!bypassed(&journal, "whatever"));
}

#[test]
fn what_was_confirmed_of_late_is_kept_again_by_an_heir_that_may_meet_another_server() {
    let own = Journal::new(9, true);
    let [forgetful, heir] = [false, true].map(|remembers| Journal::new(9, remembers));
    for journal in [&own, &heir, &forgetful] {
        journal.enrol("heirs".to_owned(), "a store of heirs");
        journal.serve(true);
    }
    own.confirm(own.begin(), &keys(&["k"]));
    own.serve(false);
    own.bequeath();
    assert_eq!(next_targets(&heir).1, keys(&["k"]));
    assert!(forgetful.pending().is_empty());
}

#[test]
fn without_a_memory_nothing_is_kept_again() {
    let journal = Journal::new(9, false);
    journal.confirm(journal.begin(), &keys(&["k"]));
    journal.connected(true);
    assert!(!bypassed(&journal, "k"));
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_when_something_is_kept_and_when_nothing_is() {
    let journal = Journal::new(9, true);
    journal.until(false).await;
    let waiting = tokio::spawn({
        let journal = journal.clone();
        async move { journal.until(true).await }
    });
    journal.keep(journal.begin(), &keys(&["k"]), None);
    waiting.await.unwrap();
    let second = Duration::from_secs(1);
    assert!(timeout(second, journal.until(false)).await.is_err());
    assert!(!journal.hurried(second).await);
    journal.connected(false);
    assert!(journal.hurried(second).await);
}

#[test]
fn a_replay_leaves_the_longest_hold_off_that_was_asked_for() {
    let journal = Journal::new(9, true);
    let lag = |ms| Some(Duration::from_millis(ms));
    for (key, hold_off) in [("a", lag(5)), ("b", lag(9)), ("c", None)] {
        journal.keep(journal.begin(), &keys(&[key]), hold_off);
    }
    let work = journal.next().expect("keys are kept");
    assert_eq!(work.hold_off, lag(9));
    journal.confirm(work.attempt, &keys(&["a", "b", "c"]));
    assert!(journal.next().is_none());
    journal.keep(journal.begin(), &keys(&["d"]), None);
    assert_eq!(journal.next().and_then(|work| work.hold_off), None);
}
