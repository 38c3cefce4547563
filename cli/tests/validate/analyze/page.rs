//! The example of the page is what the command prints.

use crate::replay::page::blocks;
use crate::weir;
use std::fs;
use std::path::Path;

#[test]
fn the_example_prints_what_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/analyze.md");
    let blocks = blocks(&fs::read_to_string(page).unwrap(), "An example");
    let [old, new, command, printed] = blocks.as_slice() else { panic!("{blocks:#?}") };
    let folder = tempfile::Builder::new().prefix("weir-analyze-").tempdir().unwrap();
    for (name, text) in [("old.yaml", old), ("new.yaml", new)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let arguments: Vec<&str> = command.trim().strip_prefix("weir analyze ").unwrap().split(' ').collect();
    let found = weir(folder.path(), "analyze", &arguments, b"");
    assert_eq!(found.code, 1, "{}", found.err);
    assert_eq!(found.out, *printed);
}
