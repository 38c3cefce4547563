use super::{SECTIONS, World, add_section, sections};
use weir_testing::Score;

#[test]
fn rows_that_are_not_run_are_counted_with_a_reason() {
    let rows = [
        ("istio-path-normalization.yaml", "istio", World::Core, true, (7, 0)),
        ("istio-path-normalization.yaml", "istio", World::Host, true, (0, 0)),
        ("istio-path-normalization.yaml", "istio", World::Envoy, false, (0, 1)),
        ("istio-path-normalization.yaml", "new", World::Host, true, (7, 0)),
        ("new.yaml", "rows", World::Core, false, (7, 0)),
        ("real-policies.yaml", "", World::Host, false, (7, 0)),
    ];
    for (file, section, world, ran, expected) in rows {
        let mut score = Score::new(file);
        add_section(&mut score, world, ran, section, 7);
        assert_eq!((score.skipped(), score.failed().len()), expected, "{file} {section} {world:?}");
    }
}

#[test]
fn sections_that_are_not_run_everywhere_have_a_reason() {
    for section in &SECTIONS {
        assert_eq!(section.runs.len() < 3, !section.otherwise.is_empty(), "{} {}", section.file, section.name);
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
