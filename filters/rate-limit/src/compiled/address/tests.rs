use super::masked;
use crate::testing::Rows;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn masks_keep_the_first_bits() {
    let rows = [
        ("10.1.2.3", 16, "10.1.0.0"),
        ("10.1.2.3", 0, "0.0.0.0"),
        ("10.1.2.3", 32, "10.1.2.3"),
        ("2001:abcd:ef01:2345:6789:abcd:ef01:234", 64, "2001:abcd:ef01:2345::"),
        ("2001:db8::1", 0, "::"),
        ("2001:db8::1", 128, "2001:db8::1"),
    ];
    let mut table = Rows::default();
    for (ip, bits, expected) in rows {
        table.check(format!("{ip}/{bits}"), masked(ip.parse().unwrap(), bits, bits).to_string(), expected);
    }
}
