use super::{SECTIONS, World, add_section, sections};
use weir_testing::Rows;
use weir_testing::Score;

#[test]
fn rows_that_are_not_run_are_counted_with_a_reason() {
    let table = [
        ("istio-path-normalization.yaml", "istio", World::Core, true, (7, 0)),
        ("istio-path-normalization.yaml", "istio", World::Host, true, (0, 0)),
        ("istio-path-normalization.yaml", "istio", World::Envoy, false, (0, 1)),
        ("istio-path-normalization.yaml", "new", World::Host, true, (7, 0)),
        ("new.yaml", "rows", World::Core, false, (7, 0)),
        ("real-policies.yaml", "", World::Host, false, (7, 0)),
    ];
    let mut rows = Rows::default();
    for (file, section, world, ran, expected) in table {
        let mut score = Score::new(file);
        add_section(&mut score, world, ran, section, 7);
        rows.check(format!("{file} {section} {world:?}"), (score.skipped(), score.failed().len()), expected);
    }
}

#[test]
fn sections_that_are_not_run_everywhere_have_a_reason() {
    let mut rows = Rows::default();
    for section in &SECTIONS {
        rows.check(format!("{} {}", section.file, section.name), section.runs.len() < 3, !section.otherwise.is_empty());
    }
}

#[test]
fn rows_in_groups_are_counted() {
    let folder = std::env::temp_dir().join(format!("weir-conformance-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("cases.yaml");
    std::fs::write(&file, "groups: [{requests: [1, 2]}, {requests: [3]}]\nother: [{x: 1}]\n").unwrap();
    let found = sections(&file);
    std::fs::write(&file, "a: [").unwrap();
    let broken = sections(&file);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found, Ok(vec![("groups".to_owned(), 3), ("other".to_owned(), 1)]));
    assert!(broken.is_err());
}
