//! What is promised has a test.

use std::fs;

use stack::layout;

use crate::sources;

/// The points of the protocol that are promised, by their names in tests: `f9_…` is a test of F9.
#[test]
fn every_point_of_the_protocol_has_a_test() {
    let points = [('c', 1..=6), ('f', 1..=18), ('v', 1..=11), ('i', 1..=9), ('m', 1..=13)];
    let texts: Vec<_> = ["shared", "tests"]
        .iter()
        .flat_map(|folder| sources(folder))
        .map(|file| fs::read_to_string(file).expect("a source is text"))
        .collect();
    for (kind, numbers) in points {
        for number in numbers {
            let name = format!("fn {kind}{number}_");
            let tested = texts.iter().any(|text| text.contains(&name));
            assert!(tested, "there is no test named {kind}{number}_…");
        }
    }
}

#[test]
fn every_guarantee_names_a_test_that_exists() {
    let readme = fs::read_to_string(layout::root().join("README.md")).expect("README.md");
    let (_, rest) = readme.split_once("## Guarantees").expect("README.md states guarantees");
    let (section, _) = rest.split_once("\n## ").expect("another section follows");
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 10, "the table of guarantees is gone");
    for row in rows {
        let mut tests = row.split("[`").skip(1).peekable();
        assert!(tests.peek().is_some(), "no test holds this: {row}");
        for link in tests {
            let (name, rest) = link.split_once("`](").expect("a link");
            let (path, _) = rest.split_once(')').expect("a link");
            let text = fs::read_to_string(layout::root().join(path)).expect("the linked file");
            assert!(text.contains(&format!("fn {name}(")), "{path} has no test {name}");
        }
    }
}
