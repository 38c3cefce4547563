use super::*;
use weir_testing::Rows;

#[test]
fn digests_are_sha_256_in_lower_case() {
    // FIPS 180-2, appendix B.1.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(Digest::of(b"abc").hex(), abc);
    assert_eq!(Digest::of(b"abc").to_string(), format!("sha256:{abc}"));
    let rows = [
        (abc.to_owned(), true),
        (format!("sha256:{abc}"), true),
        (format!("SHA256:{abc}"), false),
        (abc.to_uppercase(), false),
        (abc.chars().take(63).collect(), false),
        (format!("sha512:{abc}{abc}"), false),
        ("nil".to_owned(), false),
        (String::new(), false),
    ];
    let mut table = Rows::default();
    for (text, expected) in rows {
        table.check(&text, text.parse::<Digest>().is_ok(), expected);
    }
}
