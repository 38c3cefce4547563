#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn numbers_are_written_as_far_as_they_matter() {
    let mut rows = Rows::default();
    for (number, expected) in [
        (0.0, "0"),
        (-3.0, "-3"),
        (9_007_199_254_740_992.0, "9007199254740992"),
        (0.5, "0.500000000"),
        (-1.25, "-1.250000000"),
        (1e-300, "0"),
        (1e300, "9999999999999971e284"),
        (f64::MAX, "1e300, or so"),
        (f64::INFINITY, "null"),
        (f64::NAN, "null"),
    ] {
        let mut text = String::new();
        super::number(&mut text, number);
        let read: Result<f64, ()> = text.parse().map_err(drop);
        if number.is_finite() {
            let read = read.unwrap();
            let number = number.min(1e300);
            rows.check(format!("{number}: {text}"), (read - number).abs() <= number.abs() * 1e-14 + 1e-9, true);
        }
        if number.abs() <= 9_007_199_254_740_992.0 || !number.is_finite() {
            rows.check(format!("{number:?}"), text, expected);
        }
    }
}
