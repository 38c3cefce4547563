use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::read_document;
use weir_testing::Rows;

fn read(text: &str) -> Result<Fraction, String> {
    read_document(text.as_bytes(), |at| Fraction::read(&at)).map_err(|problems| problems.to_string())
}

#[test]
fn percentages_are_read_exactly_or_not_at_all() {
    let mut rows = Rows::default();
    for (text, millionths) in [
        ("0", Some(0)),
        ("0.0001", Some(1)),
        ("0.29", Some(2_900)),
        ("7", Some(70_000)),
        ("33.3333", Some(333_333)),
        ("99.9999", Some(999_999)),
        ("100", Some(1_000_000)),
        ("100.0", Some(1_000_000)),
        ("100.0001", None),
        ("0.00001", None),
        ("-1", None),
        ("1e300", None),
        ("\"50\"", None),
        ("true", None),
    ] {
        rows.check(text, read(text).ok().map(|fraction| fraction.millionths), millionths);
    }
}

#[test]
fn the_share_drawn_is_the_share_asked_for() {
    let mut rows = Rows::default();
    const REQUESTS: u32 = 20_000;
    for percent in ["0", "0.5", "10", "50", "99.5", "100"] {
        // Whether time passes or stands still, and whether requests come in turns.
        for (step, turns) in [(0u64, 1u32), (0, 2), (1_000, 2), (250_000, 3), (1_000_000_000, 7)] {
            let mut fraction = read(percent).unwrap();
            let mut drawn = 0u32;
            let mut now = Now::default();
            for request in 0..REQUESTS * turns {
                now.mono_nanos += step;
                drawn += u32::from(fraction.draw(now) && request % turns == 0);
            }
            let share = f64::from(fraction.millionths) / 1e6;
            let sigma = (share * (1.0 - share) * f64::from(REQUESTS)).sqrt();
            let off = (f64::from(drawn) - share * f64::from(REQUESTS)).abs();
            rows.check(format!("{percent} %, {step} ns, every {turns}: {drawn}"), off <= 4.0 * sigma, true);
        }
    }
}
