use std::io::Write;

use super::*;
use weir_testing::Rows;

#[test]
fn a_line_counts_once_its_end_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut tail = LogTail::new(&path);
    assert!(tail.lines().unwrap().is_empty());
    let mut file = File::create(&path).unwrap();
    let steps: [(&str, &[&str]); 4] = [("a\nb", &["a"]), ("", &[]), ("c\n", &["bc"]), ("d\ne\n", &["d", "e"])];
    for (written, expected) in steps {
        file.write_all(written.as_bytes()).unwrap();
        assert_eq!(tail.lines().unwrap(), expected);
    }
}

#[test]
fn the_reason_is_the_most_severe_last_message() {
    let line =
        |level: &str, text: &str| format!("[2026-01-01 00:00:00.000][7][{level}][main] [source/server/a.cc:1] {text}");
    let table = [
        (vec![line("critical", "no port"), line("error", "late"), line("info", "exiting")], Some("no port")),
        (vec![line("error", "first"), line("error", "second"), line("info", "exiting")], Some("second")),
        (vec!["no such option".to_owned()], Some("no such option")),
        (vec![line("critical", "long form"), "short form".to_owned()], Some("short form")),
        (vec![], None),
    ];
    let mut rows = Rows::default();
    for (lines, expected) in table {
        rows.check(format!("{lines:?}"), reason(&lines).as_deref(), expected);
    }
}
