use super::Watch;
use std::fs;
use weir_testing::Rows;

/// An editor that empties a file and writes it a moment later makes one change, not two.
#[test]
fn a_change_is_seen_when_the_files_are_still() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    fs::write(&file, "a: 1\n").unwrap();
    let mut watch = Watch::new(vec![folder.path().to_owned()], folder.path());
    let mut rows = Rows::default();
    let mut look = |name: &str, text: Option<&str>, expected: &[bool]| {
        text.into_iter().for_each(|text| fs::write(&file, text).unwrap());
        let found: Vec<bool> = expected.iter().map(|_| watch.has_changed()).collect();
        rows.check(name, found.as_slice(), expected);
    };
    look("at first", None, &[false, false, false]);
    look("emptied", Some(""), &[false, false]);
    look("written", Some("a: 23\n"), &[false, false, true, false]);
    look("longer", Some("a: 4567\n"), &[false, false, true]);
    look("again", Some("a: 89012\n"), &[false, false, true, false, false]);
}
