//! Selection against its rules, stated one by one over random sets.

use proptest::prelude::*;

use super::*;

const USABLE: View = View {
    priority: 0,
    in_zone: true,
    is_connected: true,
    is_serving: true,
    is_ejected: false,
    is_probing: false,
};
const DEAD: View = View { is_connected: false, ..USABLE };
const EJECTED: View = View { is_ejected: true, ..USABLE };

fn selected(views: &[View]) -> (Vec<usize>, Mode) {
    let selection = select(views, &Settings::default());
    (selection.indices, selection.mode)
}

fn at(priority: u32, view: View) -> View {
    View { priority, ..view }
}

#[test]
fn half_of_the_best_level_carries_all_calls_and_less_gets_help() {
    let spare = at(1, USABLE);
    assert_eq!(selected(&[USABLE, DEAD, spare]), (vec![0], Mode::Normal));
    assert_eq!(selected(&[USABLE, DEAD, DEAD, spare]), (vec![0, 3], Mode::Spilled { levels: 2 }));
    assert_eq!(selected(&[DEAD, spare, at(2, USABLE)]), (vec![1], Mode::Spilled { levels: 2 }));
}

#[test]
fn of_three_two_may_be_set_aside_and_of_four_three_are_too_many() {
    assert_eq!(selected(&[EJECTED, EJECTED, USABLE]).0, [2]);
    assert_eq!(selected(&[EJECTED, EJECTED, EJECTED, USABLE]), (vec![0, 1, 2, 3], Mode::Panic));
    assert_eq!(selected(&[EJECTED, DEAD, DEAD]), (vec![0], Mode::Panic));
}

#[test]
fn what_does_not_serve_gets_no_call_even_in_panic() {
    let not_serving = View { is_serving: false, ..USABLE };
    assert_eq!(selected(&[EJECTED, EJECTED, not_serving]), (vec![0, 1], Mode::Panic));
    assert_eq!(selected(&[not_serving; 3]), (vec![], Mode::Normal));
    assert_eq!(selected(&[]), (vec![], Mode::Normal));
}

#[test]
fn the_own_zone_carries_its_calls_while_half_of_it_is_usable() {
    let far = View { in_zone: false, ..USABLE };
    assert_eq!(selected(&[USABLE, DEAD, far, far]).0, [0]);
    assert_eq!(selected(&[USABLE, DEAD, DEAD, far, far, far]).0, [0, 3, 4, 5]);
    assert_eq!(selected(&[far, far]).0, [0, 1]);
}

#[test]
fn levels_that_help_each_other_do_so_over_zones() {
    let far_spare = View { in_zone: false, ..at(1, USABLE) };
    assert_eq!(selected(&[USABLE, DEAD, DEAD, far_spare]).0, [0, 3]);
}

#[test]
fn probation_is_no_capacity_but_gets_its_call() {
    let probing = View { is_probing: true, ..USABLE };
    let spare = at(1, USABLE);
    assert_eq!(selected(&[probing, spare]), (vec![0, 1], Mode::Spilled { levels: 2 }));
    assert_eq!(selected(&[probing]), (vec![0], Mode::Panic));
    assert_eq!(selected(&[USABLE, at(1, probing)]), (vec![0], Mode::Normal));
}

#[test]
fn shares_that_add_up_to_the_whole_suffice_for_it() {
    let level = |priority: u32, usable: usize, size: usize| {
        (0..size).map(move |place| at(priority, View { is_connected: place < usable, ..USABLE }))
    };
    let views: Vec<View> =
        level(0, 1, 14).chain(level(1, 6, 7)).chain(level(2, 1, 14)).chain(level(3, 1, 1)).collect();
    let settings = Settings { level_share_min: 1.0, ..Settings::default() };
    assert_eq!(select(&views, &settings).mode, Mode::Spilled { levels: 3 });
}

#[test]
fn a_share_that_is_none_is_named() {
    let defaults = Settings::default();
    let cases = [
        ("level_share_min", Settings { level_share_min: 1.1, ..defaults }),
        ("zone_share_min", Settings { zone_share_min: -0.1, ..defaults }),
        ("panic_share", Settings { panic_share: f64::NAN, ..defaults }),
    ];
    for (field, settings) in cases {
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains(&format!(" {field} is ")), "{error}");
    }
    assert_eq!(defaults.check(), Ok(()));
}

/// The rules in whole numbers: shares as parts of 60, which all sizes up to 6 divide.
fn expected(views: &[View], [level, zone, panic]: [usize; 3]) -> Vec<usize> {
    let able: Vec<bool> = views.iter().map(|view| view.is_connected && view.is_serving).collect();
    let aside: Vec<bool> = views.iter().map(|view| view.is_ejected || view.is_probing).collect();
    let able_count = able.iter().filter(|able| **able).count();
    let aside_count = (0..views.len()).filter(|&index| able[index] && aside[index]).count();
    let disregards = able_count > 0
        && aside_count > 0
        && (aside_count == able_count || aside_count > (panic * able_count).div_ceil(100));
    let usable: Vec<bool> =
        (0..views.len()).map(|index| able[index] && (disregards || !aside[index])).collect();
    let members = |priority: u32| (0..views.len()).filter(move |&index| views[index].priority == priority);

    let suffices = |last: u32| {
        let parts = (0..=last).map(|priority| match members(priority).count() {
            0 => 0,
            count => members(priority).filter(|&index| usable[index]).count() * 60 / count,
        });
        let parts = parts.sum::<usize>();
        parts > 0 && parts * 100 >= level * 60
    };
    let last = (0..3).find(|&last| suffices(last)).unwrap_or(3);
    let used: Vec<usize> =
        (0..views.len()).filter(|&index| views[index].priority <= last && usable[index]).collect();
    let contributing: std::collections::BTreeSet<u32> =
        used.iter().map(|&index| views[index].priority).collect();
    let mut only_zone = false;
    if let (Some(&alone), 1, false) = (contributing.first(), contributing.len(), disregards) {
        let in_zone = members(alone).filter(|&index| views[index].in_zone).count();
        let usable_in_zone = members(alone).filter(|&index| views[index].in_zone && usable[index]).count();
        only_zone = usable_in_zone > 0 && usable_in_zone * 100 >= zone * in_zone;
    }
    let takes_call = |&index: &usize| {
        let view = views[index];
        view.priority <= last
            && (view.in_zone || !only_zone)
            && (usable[index] || able[index] && view.is_probing)
    };
    (0..views.len()).filter(takes_call).collect()
}

fn view() -> impl Strategy<Value = View> {
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.9), 0_u8..8);
    (0_u32..3, any::<bool>(), flags).prop_map(|(priority, in_zone, (is_connected, is_serving, aside))| View {
        priority,
        in_zone,
        is_connected,
        is_serving,
        is_ejected: aside < 2,
        is_probing: aside == 2,
    })
}

fn percents() -> impl Strategy<Value = [usize; 3]> {
    let percent = || prop::sample::select(vec![0_usize, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 100]);
    [percent(), percent(), percent()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn the_selected_are_those_that_the_rules_name(
        views in prop::collection::vec(view(), 0..7), percents in percents(),
    ) {
        let [level, zone, panic] = percents.map(|percent| percent as f64 / 100.0);
        let settings = Settings { level_share_min: level, zone_share_min: zone, panic_share: panic };
        prop_assert_eq!(select(&views, &settings).indices, expected(&views, percents));
    }

    #[test]
    fn nobody_is_left_without_an_endpoint_or_left_out_of_the_best_level(
        views in prop::collection::vec(view(), 0..40),
    ) {
        let (indices, mode) = selected(&views);
        let is_able = |view: &View| view.is_connected && view.is_serving;
        prop_assert!(indices.iter().all(|&index| is_able(&views[index])));
        prop_assert_eq!(indices.is_empty(), !views.iter().any(is_able));
        let best = views.iter().map(|view| view.priority).min().unwrap_or(0);
        for (index, view) in views.iter().enumerate() {
            let is_usable = is_able(view) && (mode == Mode::Panic || !view.is_ejected);
            if is_usable && view.in_zone && view.priority == best {
                prop_assert!(indices.contains(&index), "{} is left out of {:?}", index, views);
            }
        }
    }
}
