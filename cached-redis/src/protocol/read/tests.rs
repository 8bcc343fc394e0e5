use core::convert::Infallible;

use super::*;

type Reader = Search<char, char, Infallible>;
type Told = Option<Landing<char, Infallible>>;

/// Gives the answers in turn; where the search is then, and what the last one told those who joined.
fn after(answers: &[Answer<char, char, Infallible>]) -> (Reader, Told) {
    let mut search = Reader::new();
    let told = answers.iter().map(|answer| search.next(&AllRules, *answer));
    let told = told.last().flatten();
    (search, told)
}

fn looked(seen: Seen<char, char>) -> [Answer<char, char, Infallible>; 2] {
    [Answer::Nobody, Answer::Seen(seen, true)]
}

/// Leads the flight of a key under which this stands.
fn leading(seen: Seen<char, char>) -> Reader {
    let [nobody, seen] = looked(seen);
    after(&[nobody, seen, Answer::Lead]).0
}

#[test]
fn what_stands_there_decides_what_a_reader_does_and_what_a_leader() {
    for (seen, first, leads) in [
        (Seen::Live('v'), Step::Serve('v'), Step::Serve('v')),
        (Seen::Absent, Step::Enter(Seen::Absent), Step::Acquire(None)),
        (
            Seen::Dead('d'),
            Step::Enter(Seen::Dead('d')),
            Step::Acquire(Some('d')),
        ),
        (Seen::Leased, Step::Enter(Seen::Leased), Step::Pause),
        (Seen::Expired, Step::Enter(Seen::Expired), Step::Claim),
        (Seen::Barred, Step::Queue, Step::Queue),
    ] {
        assert_eq!(*after(&looked(seen)).0.step(), first);
        let mut leader = leading(Seen::Absent);
        leader.next(&AllRules, Answer::Seen(seen, true));
        assert_eq!(*leader.step(), leads);
    }
}

#[test]
fn a_miss_takes_the_lease_then_reads_the_tags_then_loads() {
    let mut leader = leading(Seen::Dead('d'));
    for (answer, step) in [
        (Answer::Granted, Step::Stamp(Some('d'))),
        (Answer::Stamped, Step::Load(Some('d'))),
    ] {
        assert_eq!(
            leader.next(&AllRules, answer),
            None,
            "those who joined wait"
        );
        assert_eq!(*leader.step(), step);
    }
}

#[test]
fn what_was_seen_of_another_server_is_looked_up_again() {
    let (search, _) = after(&[Answer::Nobody, Answer::Seen(Seen::Live('v'), false)]);
    assert_eq!(*search.step(), Step::Join);
}

#[test]
fn those_who_joined_bypass_with_a_leader_whom_the_store_leaves_and_look_for_themselves_else() {
    for (answer, told) in [
        (Answer::Away, Landing::Bypass),
        (Answer::Seen(Seen::Barred, true), Landing::Bypass),
        (Answer::Seen(Seen::Live('v'), true), Landing::Again),
        (Answer::Seen(Seen::Live('v'), false), Landing::Again),
    ] {
        assert_eq!(leading(Seen::Dead('d')).next(&AllRules, answer), Some(told));
    }
    assert_eq!(
        leading(Seen::Leased).next(&AllRules, Answer::Spent),
        Some(Landing::Bypass)
    );
}

#[test]
fn who_waited_in_vain_keeps_what_it_holds_or_else_loads_without_the_cache() {
    for (unusable, end) in [(Seen::Expired, Step::Keep), (Seen::Dead('d'), Step::Queue)] {
        for vain in [Answer::Spent, Answer::Landed(Landing::Bypass)] {
            let (mut search, _) = after(&looked(Seen::Live('v')));
            assert_eq!(search.end(), Step::Serve('v'));
            search.unusable(unusable);
            search.next(&AllRules, Answer::Seat);
            assert_eq!(*search.step(), Step::Wait);
            search.next(&AllRules, vain);
            assert_eq!(*search.step(), end);
        }
    }
}

#[test]
fn a_load_without_a_lease_is_shared_or_begun_anew() {
    for (answer, step) in [
        (Answer::Landed(Landing::Shared('v')), Step::Serve('v')),
        (Answer::Landed(Landing::Again), Step::Join),
        (Answer::Spent, Step::Bypass),
    ] {
        let (mut search, _) = after(&[Answer::Barred, Answer::Seat]);
        search.next(&AllRules, answer);
        assert_eq!(*search.step(), step);
    }
}

#[test]
fn who_cannot_use_what_was_shared_without_a_lease_bypasses_as_long_as_the_key_is_barred() {
    let (mut search, _) = after(&[Answer::Barred, Answer::Seat]);
    search.next(&AllRules, Answer::Landed(Landing::Shared('v')));
    search.unusable(Seen::Dead('d'));
    assert_eq!(*search.step(), Step::Enter(Seen::Dead('d')));
    search.next(&AllRules, Answer::Barred);
    assert_eq!(*search.step(), Step::Queue);
}

#[test]
fn a_result_is_shared_if_its_fill_has_won_and_its_tags_still_have_their_generations() {
    assert_eq!(Fill::new(&AllRules), Fill::Close);
    for (sent, same, landing) in [
        (Sent::Stored { tagged: false }, false, Landing::Shared('v')),
        (Sent::Stored { tagged: true }, true, Landing::Shared('v')),
        (Sent::Stored { tagged: true }, false, Landing::Again),
        (Sent::Marked, true, Landing::Again),
        (Sent::Refused, true, Landing::Again),
        (Sent::Failed, true, Landing::<_, Infallible>::Bypass),
    ] {
        assert_eq!(Fill::sent(&AllRules, sent).landing(same, 'v'), landing);
    }
}

#[test]
fn a_search_that_is_made_after_its_first_look_is_where_it_would_be() {
    for seen in [
        Seen::Absent,
        Seen::Leased,
        Seen::Live('v'),
        Seen::Expired,
        Seen::Dead('d'),
        Seen::Barred,
    ] {
        for stands in [true, false] {
            let (search, _) = after(&[Answer::Nobody, Answer::Seen(seen, stands)]);
            assert_eq!(Reader::looked(&AllRules, seen, stands), search);
        }
    }
}
