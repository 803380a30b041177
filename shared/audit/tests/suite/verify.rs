use audit::verify::{Anchor, Problem, Report};
use data::audit::{CheckpointRow, EventRow};
use proptest::prelude::*;

use crate::fake::{Scene, address, seals};

/// Two ledgers, of five and three events.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.events(1, 5);
    scene.events(2, 3);
    scene.deliver(1).unwrap();
    scene.deliver(2).unwrap();
    scene
}

fn problems(report: &Report) -> Vec<(u64, Problem)> {
    report.findings.iter().map(|finding| (finding.number, finding.problem)).collect()
}

/// What is found after the row of ledger 1 with this number was changed.
fn changed(number: u64, change: impl Fn(&Scene, &mut EventRow)) -> Vec<(u64, Problem)> {
    let scene = scene();
    let mut row = row(&scene, number);
    scene.trail.events.borrow_mut().remove(&row.hash);
    change(&scene, &mut row);
    scene.trail.events.borrow_mut().insert(row.hash.clone(), row);
    problems(&scene.report(vec![], vec![]))
}

fn row(scene: &Scene, number: u64) -> EventRow {
    let ledger = address(1).to_string();
    let rows = scene.trail.rows();
    rows.into_iter().find(|row| row.ledger == ledger && row.number == number).unwrap()
}

/// What is found after the rows of ledger 1 with these numbers are gone.
fn removed(numbers: &[u64]) -> Vec<(u64, Problem)> {
    let scene = scene();
    for number in numbers {
        let hash = row(&scene, *number).hash;
        scene.trail.events.borrow_mut().remove(&hash);
    }
    problems(&scene.report(vec![], vec![]))
}

fn checkpoint(scene: &Scene, number: u64) -> CheckpointRow {
    let EventRow { ledger, number, hash, .. } = row(scene, number);
    let (seal, at) = (String::new(), testing::NOW);
    scene.seals.seal(CheckpointRow { ledger, number, hash, count: number, at, seal, key_id: 0 })
}

fn anchor(scene: &Scene, number: u64) -> Anchor {
    let EventRow { ledger, number, hash, .. } = row(scene, number);
    Anchor { ledger, number, hash }
}

#[test]
fn what_was_delivered_is_found_as_it_was() {
    let report = scene().report(vec![], vec![]);
    assert_eq!((report.ledgers, report.events, report.checkpoints), (2, 8, 0));
    assert_eq!((report.findings, report.forks), (vec![], vec![]));
    let numbers: Vec<_> = report.anchors.iter().map(|anchor| anchor.number).collect();
    assert_eq!(numbers, [5, 3]);
}

#[test]
fn a_removed_row_is_found() {
    assert_eq!(removed(&[1]), [(2, Problem::Missing(1))]);
    assert_eq!(removed(&[3]), [(4, Problem::Missing(3))]);
    assert_eq!(removed(&[1, 2, 4]), [(3, Problem::Missing(1)), (5, Problem::Missing(4))]);
}

#[test]
fn a_truncated_chain_is_found() {
    assert_eq!(removed(&[5]), [(5, Problem::Truncated)]);
    assert_eq!(removed(&[4, 5]), [(5, Problem::Truncated)]);
    assert_eq!(removed(&[1, 2, 3, 4, 5]), [(5, Problem::Truncated)]);
}

#[test]
fn a_changed_row_is_found() {
    let event = |row: &mut EventRow| row.event = row.event.replace("atoms-web", "atoms-cli");
    assert_eq!(changed(3, |_, row| event(row)), [(3, Problem::Changed)]);
    // With the link computed anew, too, it is the seal that tells, and the row behind it.
    let anew = changed(3, |_, row| {
        event(row);
        row.hash = audit::verify::link(row).unwrap();
    });
    assert_eq!(anew, [(3, Problem::BadSeal), (4, Problem::Detached)]);
    let hidden = changed(2, |_, row| row.subject = Some("user_2".to_owned()));
    assert_eq!(hidden, [(2, Problem::BadSeal)]);
    let moved = changed(5, |_, row| row.ledger = address(9).to_string());
    let expected = [(5, Problem::Truncated), (5, Problem::Missing(1)), (5, Problem::BadSeal)];
    assert!(expected.iter().all(|finding| moved.contains(finding)), "{moved:?}");
}

#[test]
fn an_inserted_row_is_found() {
    let insert = |change: &dyn Fn(&mut EventRow)| {
        let scene = scene();
        let mut row = row(&scene, 3);
        change(&mut row);
        row.hash = audit::verify::link(&row).unwrap();
        scene.trail.events.borrow_mut().insert(row.hash.clone(), row);
        problems(&scene.report(vec![], vec![]))
    };
    let beside = insert(&|row| row.event = row.event.replace("user", "other").replace('1', "2"));
    assert!(beside.contains(&(3, Problem::BadSeal)), "{beside:?}");
    let behind = insert(&|row| {
        row.prev.clone_from(&row.hash);
        row.number = 6;
    });
    assert!(behind.contains(&(6, Problem::BadSeal)), "{behind:?}");
    assert!(behind.contains(&(5, Problem::BehindHead)), "{behind:?}");
}

#[test]
fn a_head_that_was_put_back_or_removed_is_found() {
    let scene = scene();
    let ledger = address(1).to_string();
    let head = scene.trail.heads.borrow_mut().remove(&ledger).unwrap();
    assert_eq!(problems(&scene.report(vec![], vec![])), [(5, Problem::Headless)]);
    let earlier = data::audit::HeadRow { number: 3, hash: row(&scene, 3).hash, ..head };
    scene.trail.heads.borrow_mut().insert(ledger.clone(), earlier.clone());
    assert_eq!(problems(&scene.report(vec![], vec![])), [(3, Problem::ForgedSeal)]);
    // An old one that is genuine.
    scene.trail.heads.borrow_mut().insert(ledger, scene.seals.seal(earlier));
    assert_eq!(problems(&scene.report(vec![], vec![])), [(3, Problem::BehindHead)]);
}

#[test]
fn a_chain_may_begin_behind_a_genuine_checkpoint_only() {
    let scene = scene();
    let checkpoint = checkpoint(&scene, 3);
    for number in 1..=3 {
        let hash = row(&scene, number).hash;
        scene.trail.events.borrow_mut().remove(&hash);
    }
    assert_eq!(problems(&scene.report(vec![], vec![])), [(4, Problem::Missing(1))]);
    let report = scene.report(vec![checkpoint.clone()], vec![]);
    assert_eq!((report.findings, report.checkpoints), (vec![], 1));
    let forged = CheckpointRow { count: 9, ..checkpoint.clone() };
    let found = problems(&scene.report(vec![forged], vec![]));
    assert_eq!(found, [(3, Problem::ForgedSeal), (4, Problem::Missing(1))]);
    let elsewhere = CheckpointRow { hash: "0".repeat(64), ..checkpoint };
    let found = problems(&scene.report(vec![scene.seals.seal(elsewhere)], vec![]));
    assert_eq!(found, [(4, Problem::Detached)]);
}

#[test]
fn a_chain_may_be_deleted_up_to_its_head() {
    let scene = scene();
    let checkpoint = checkpoint(&scene, 5);
    let left = row(&scene, 5);
    let ledger = address(1).to_string();
    scene.trail.events.borrow_mut().retain(|_, row| row.ledger != ledger);
    assert_eq!(scene.report(vec![checkpoint.clone()], vec![]).findings, []);
    scene.trail.events.borrow_mut().insert(left.hash.clone(), left);
    let found = problems(&scene.report(vec![checkpoint], vec![]));
    assert_eq!(found, [(5, Problem::Deleted)]);
}

#[test]
fn an_older_state_as_a_whole_is_found_by_what_was_noted_elsewhere() {
    let scene = scene();
    let anchors = scene.report(vec![], vec![]).anchors;
    let (events, heads) = (scene.trail.events.borrow().clone(), scene.trail.heads.borrow().clone());
    scene.events(1, 2);
    scene.deliver(1).unwrap();
    assert_eq!(scene.report(vec![], anchors).findings, []);
    let later = scene.report(vec![], vec![]).anchors;
    *scene.trail.events.borrow_mut() = events;
    *scene.trail.heads.borrow_mut() = heads;
    assert_eq!(scene.report(vec![], vec![]).findings, [], "it looks genuine");
    assert_eq!(problems(&scene.report(vec![], later)), [(7, Problem::AnchorLost)]);
    let last = anchor(&scene, 5);
    scene.trail.events.borrow_mut().clear();
    scene.trail.heads.borrow_mut().clear();
    assert_eq!(problems(&scene.report(vec![], vec![last])), [(5, Problem::AnchorLost)]);
}

#[test]
fn what_was_noted_elsewhere_may_have_been_deleted_behind_a_checkpoint() {
    let scene = scene();
    let (early, at) = (anchor(&scene, 2), anchor(&scene, 3));
    let checkpoint = checkpoint(&scene, 3);
    for number in 1..=3 {
        let hash = row(&scene, number).hash;
        scene.trail.events.borrow_mut().remove(&hash);
    }
    assert_eq!(scene.report(vec![checkpoint], vec![early, at]).findings, []);
}

#[test]
fn keys_may_rotate_and_a_key_that_is_not_given_is_told() {
    let mut scene = scene();
    scene.seals = seals(&[2, 1]);
    scene.events(1, 1);
    scene.deliver(1).unwrap();
    assert_eq!(scene.report(vec![], vec![]).findings, []);
    scene.seals = seals(&[2]);
    let found = problems(&scene.report(vec![], vec![]));
    assert!(found.contains(&(1, Problem::UnknownKey(1))), "{found:?}");
}

#[test]
fn a_finding_reads_well() {
    let scene = scene();
    for number in [2, 3] {
        let hash = row(&scene, number).hash;
        scene.trail.events.borrow_mut().remove(&hash);
    }
    let report = scene.report(vec![], vec![]);
    let expected = format!(
        "ledger {} event 4 ({}): events 2 to 3 before it are missing",
        address(1),
        row(&scene, 4).hash
    );
    assert_eq!(report.findings[0].to_string(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// One byte of one column of one row.
    #[test]
    fn any_change_is_found(which in 0..8_usize, column in 0..6_u8, at in any::<prop::sample::Index>()) {
        let scene = scene();
        let mut row = scene.trail.rows().remove(which);
        scene.trail.events.borrow_mut().remove(&row.hash);
        let mut number = row.number.to_string();
        let mut subject = row.subject.clone().unwrap();
        let text = match column {
            0 => &mut row.hash,
            1 => &mut row.ledger,
            2 => &mut number,
            3 => &mut row.prev,
            4 => &mut subject,
            _ => &mut row.event,
        };
        let at = at.index(text.len());
        let other = if text.as_bytes()[at] == b'7' { "8" } else { "7" };
        text.replace_range(at..=at, other);
        (row.number, row.subject) = (number.parse().unwrap(), Some(subject));
        scene.trail.events.borrow_mut().insert(row.hash.clone(), row);
        prop_assert_ne!(scene.report(vec![], vec![]).findings, vec![]);
    }

    #[test]
    fn any_removal_is_found(gone in prop::collection::vec(any::<bool>(), 8)) {
        let scene = scene();
        let rows = scene.trail.rows();
        let gone: Vec<_> = rows.iter().zip(&gone).filter(|(_, gone)| **gone).collect();
        for (row, _) in &gone {
            scene.trail.events.borrow_mut().remove(&row.hash);
        }
        prop_assert_eq!(scene.report(vec![], vec![]).findings.is_empty(), gone.is_empty());
    }
}
