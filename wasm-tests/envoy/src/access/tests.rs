use super::*;

#[test]
fn a_record_is_found_by_its_client_and_says_dash_for_what_is_absent() {
    let line =
        r#"{"client":"127.0.0.1:4711","status":403,"details":"rbac","flags":null,"policy":"deny","rate_limit":null}"#;
    let mut all = BTreeMap::new();
    add(&mut all, "no record");
    assert!(all.is_empty());
    add(&mut all, line);
    let record = all[&4711].record().unwrap();
    assert_eq!((record.status, record.lines), (403, 1));
    let texts = [&record.details, &record.flags, &record.policy, &record.rate_limit].map(ToString::to_string);
    assert_eq!(texts, ["rbac", "-", "deny", "-"]);
}

#[test]
fn lines_about_a_stream_that_lasts_are_counted_and_are_no_record() {
    let line = |kind: &str, status: u16| format!(r#"{{"client":"127.0.0.1:1","type":"{kind}","status":{status}}}"#);
    let mut all = BTreeMap::new();
    add(&mut all, &line("DownstreamPeriodic", 0));
    assert_eq!(all[&1].record(), None);
    add(&mut all, &line("DownstreamEnd", 302));
    add(&mut all, &line("DownstreamEnd", 200));
    assert_eq!(all[&1].record().map(|record| (record.status, record.lines)), Some((200, 3)));
}
