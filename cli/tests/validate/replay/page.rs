//! The example of the page is what the command prints.

use super::run;
use std::fs;
use std::path::Path;

/// The code blocks of a section, in their order.
pub(crate) fn blocks(page: &str, section: &str) -> Vec<String> {
    let (_, rest) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let parts: Vec<&str> = section.split("```").collect();
    parts.iter().skip(1).step_by(2).map(|block| block.split_once('\n').unwrap().1.to_owned()).collect()
}

#[test]
fn the_example_prints_what_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/replay.md");
    let blocks = blocks(&fs::read_to_string(page).unwrap(), "An example");
    let [old, new, log, command, printed] = blocks.as_slice() else { panic!("{blocks:#?}") };
    let folder = tempfile::Builder::new().prefix("weir-replay-").tempdir().unwrap();
    for (name, text) in [("old.yaml", old), ("new.yaml", new), ("access.log", log)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let arguments: Vec<&str> = command.trim().strip_prefix("weir replay ").unwrap().split(' ').collect();
    let found = run(folder.path(), &arguments, b"");
    assert_eq!(found.code, 1, "{}", found.err);
    let (text, format) = found.out.split_once("\nthe log format that has everything").unwrap();
    assert_eq!(text, printed.trim_end().to_owned() + "\n");
    assert!(format.contains("json_format:"), "{format}");
}
