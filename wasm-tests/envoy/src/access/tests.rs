use super::*;

#[test]
fn a_record_is_found_by_its_client_and_says_dash_for_what_is_absent() {
    let line =
        r#"{"client":"127.0.0.1:4711","status":403,"details":"rbac","flags":null,"policy":"deny","rate_limit":null}"#;
    let (client, record) = parse(line).unwrap();
    assert_eq!((client, record.status), (4711, 403));
    let texts = [&record.details, &record.flags, &record.policy, &record.rate_limit].map(ToString::to_string);
    assert_eq!(texts, ["rbac", "-", "deny", "-"]);
    assert_eq!(parse("no record"), None);
}
