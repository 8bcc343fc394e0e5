use super::*;

fn mixed(seed: u64) -> Faults {
    Faults::seeded(seed)
        .delay(0.2, Duration::from_millis(20))
        .fail(0.2)
        .lose_answer(0.2)
        .drop(0.2)
        .reorder(0.2)
}

fn fates(faults: &Faults, steps: usize) -> Vec<Fate> {
    (0..steps).map(|_| faults.next().1).collect()
}

#[test]
fn the_same_seed_brings_the_same_faults_and_another_one_others() {
    assert_eq!(fates(&mixed(7), 100), fates(&mixed(7), 100));
    assert_ne!(fates(&mixed(7), 100), fates(&mixed(8), 100));
}

#[test]
fn an_outage_and_a_cure_leave_later_fates_as_they_were() {
    let (faults, undisturbed) = (mixed(7), mixed(7));
    faults.outage(true);
    assert_eq!(fates(&faults, 10), [Fate::Fail; 10]);
    faults.heal();
    assert_eq!(fates(&faults, 10), [Fate::Run; 10]);
    faults.resume();
    fates(&undisturbed, 20);
    assert_eq!(fates(&faults, 100), fates(&undisturbed, 100));
}

#[test]
fn every_kind_comes_as_often_as_its_chance_says_and_is_counted() {
    let faults = mixed(7);
    fates(&faults, 1000);
    let Injected {
        delayed,
        failed,
        lost_answers,
        dropped,
        reordered,
    } = faults.injected();
    for count in [delayed, failed, lost_answers, dropped, reordered] {
        assert!((150..250).contains(&count), "{:?}", faults.injected());
    }
    assert_eq!(faults.injected().total(), 1000);
}

#[test]
fn chances_that_are_none_are_refused() {
    let plan = || Faults::seeded(7);
    for odd in [plan().fail(1.1), plan().drop(-0.1), plan().fail(f64::NAN)] {
        assert!(odd.check().is_err(), "{odd:?}");
    }
    assert!(plan().fail(0.6).drop(0.6).check().is_err());
    assert!(mixed(7).check().is_ok());
}
