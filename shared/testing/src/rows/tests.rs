use super::Rows;

#[test]
#[should_panic(expected = "2 rows failed:\nsecond: found 2, expected 1\nthird: `c` is not in `ab`")]
fn every_failing_row_is_named() {
    let mut rows = Rows::default();
    rows.check("first", 1, 1);
    rows.check("second", 2, 1);
    rows.contains("third", "ab", "c");
}

#[test]
fn rows_that_pass_fail_nothing() {
    let mut rows = Rows::default();
    rows.check("first", "a", "a".to_owned());
    rows.contains("second", "ab", "b");
}

#[test]
#[should_panic(expected = "the test's own")]
fn a_panic_of_the_test_itself_stays_what_it_is() {
    let mut rows = Rows::default();
    rows.check("first", 1, 2);
    panic!("the test's own");
}
