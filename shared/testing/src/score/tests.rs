use super::{Outcome, Score};

#[test]
fn a_row_that_panics_has_failed_and_the_rows_after_it_run() {
    let mut score = Score::new("file.yaml");
    score.row("panics", || panic!("no such field"));
    score.row("unwraps", || Outcome::equal("x".parse::<u8>().unwrap(), 1));
    score.row("passes", || Outcome::equal(1, 1));
    assert_eq!((score.passed(), score.failed().len()), (1, 2));
    assert_eq!(score.failed()[0], "panics: no such field");
}

#[test]
fn the_first_check_that_does_not_pass_counts() {
    let failed = Outcome::equal(1, 2).and(Outcome::skip("why")).and(Outcome::Passed);
    assert_eq!(failed, Outcome::Failed("found 1, expected 2".to_owned()));
    assert_eq!(Outcome::Passed.and(Outcome::skip("why")), Outcome::skip("why"));
}

#[test]
fn scores_of_one_part_add_up() {
    let mut score = Score::new("file.yaml");
    score.skip(2, "why");
    score.skip(0, "not at all");
    let mut other = Score::new("file.yaml");
    other.skip(3, "why");
    other.add("row", Outcome::contains("abc", "d"));
    other.add("other", Outcome::Passed);
    score.merge(other);
    let text = "file.yaml: 1 passed, 1 failed, 5 skipped\n  skipped 5: why\n  FAILED row: `d` is not in `abc`";
    assert_eq!(score.to_string(), text);
}

#[test]
#[should_panic(expected = "1 failed")]
fn a_score_with_a_failed_row_fails_its_test() {
    let mut score = Score::new("file.yaml");
    score.add("row", Outcome::equal(1, 2));
    score.end();
}
