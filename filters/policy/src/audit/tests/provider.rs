//! Records of decisions for which a provider is asked.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{CallFailure, CallId, CelError, CelValue, Expressions, Resumption, Verdict};
use weir_proto::ext_authz::{
    CheckResponse, DeniedResponse, HeaderOption, HttpStatus, NameValue, OkResponse, RpcStatus,
};

const ASK: (&str, &str, &str) =
    ("ask", "", r#"{"action":"CUSTOM","provider":{"name":"p"},"rules":[{"to":[{"operation":{"paths":["/a"]}}]}]}"#);
const NO_EVE: (&str, &str, &str) =
    ("no-eve", "", r#"{"action":"DENY","rules":[{"when":[{"key":"request.headers[x-user]","values":["eve"]}]}]}"#);

fn asking(fail_open: bool, extra: &str, audit: &str) -> Policy {
    let provider =
        format!(r#"{{"envoyExtAuthzGrpc":{{"service":"c.auth.svc","port":9,"timeout":"1s","failOpen":{fail_open}}}}}"#);
    let audit = format!(r#"{{"to":{{"log":true}},"include":{{"headers":["x-user"]}}{audit}}}"#);
    policy(&audit, &format!(r#","providers":{{"p":{provider}}}{extra}"#), &[ASK, NO_EVE])
}

fn sets_user(name: &str) -> Vec<u8> {
    let header = Some(NameValue { key: "x-user".to_owned(), value: name.to_owned() });
    let headers = vec![HeaderOption { header, append: None, append_action: 2 }];
    let ok = Some(OkResponse { headers, ..OkResponse::default() });
    weir_proto::encode(&CheckResponse { status: Some(RpcStatus { code: 0 }), ok, ..CheckResponse::default() })
}

fn denied(status: i32) -> Vec<u8> {
    let denied = Some(DeniedResponse { status: Some(HttpStatus { code: status }), ..DeniedResponse::default() });
    weir_proto::encode(&CheckResponse { status: Some(RpcStatus { code: 7 }), denied, ..CheckResponse::default() })
}

/// What a check says of both sides.
struct Peers;

impl Expressions for Peers {
    fn evaluate(&self, _: u8, _: usize) -> Result<CelValue, CelError> {
        Ok(CelValue::String(b"10.0.0.1:7\n10.0.0.2:80\nHTTP/2\n\n".as_slice().into()))
    }
}

/// Has a request decided about which the provider answers so. Returns the records, and those that were there before the answer.
fn ask(policy: &mut Policy, sent: &mut Sent, answer: Answer<'_>) -> (Vec<Value>, usize) {
    let (mut cells, mut effects) = (MemoryCells::default(), Effects::default());
    let (mut stream, mut edits) = (Stream::default(), Edits::default());
    let (block, attributes) = (sent.block.clone(), Attributes::default());
    let facts = facts(Headers::new(&block), &attributes);
    let io = Io::new(Now::default(), &mut cells, &mut effects);
    let mut io = Io { late: Some(sent), expressions: Some(&Peers), ..io };
    let verdict = policy.request(&mut stream, &facts, &mut edits, &mut io);
    let before = effects.logs.len();
    let id: Option<CallId> = effects.calls.pop().map(|(id, _)| id);
    if let Some(id) = id {
        let now = Now { wall_nanos: 5, mono_nanos: 9 };
        policy.called(id, answer, &mut Io::new(now, &mut cells, &mut effects));
        if verdict == Verdict::Await(id) {
            let mut io = Io { late: Some(sent), ..Io::new(now, &mut cells, &mut effects) };
            policy.resume(&mut stream, Resumption::Answered(id), &mut edits, &mut io);
        }
    }
    let record = |line: &str| serde_json::from_str(line.strip_prefix("weir audit: ").unwrap()).unwrap();
    (effects.logs.iter().map(|(_, line)| record(line)).collect(), before)
}

#[test]
fn what_a_provider_says_is_recorded_when_it_has_answered() {
    let failed = Answer::Failed(CallFailure::NoHost);
    let (eve, ann, no) = (sets_user("eve"), sets_user("ann"), denied(401));
    let [eve, ann, no] = [&eve, &ann, &no].map(|message| Answer::Grpc { message });
    let both = r#","record":["error","failure_mode_allowed"]"#;
    let all = r#","record":["allow","deny"]"#;
    let mut rows = Rows::default();
    for (title, fail_open, audit, answer, expected) in [
        ("it refuses", false, "", no, vec!["deny enforced provider shop/ask response_code=401"]),
        ("it allows", false, "", ann, vec![]),
        ("it allows, asked for", false, all, ann, vec!["allow enforced provider shop/ask"]),
        ("what it sets is refused", false, "", eve, vec!["deny enforced matched shop/no-eve response_code=403"]),
        ("it fails", false, both, failed, vec![r#"deny enforced error shop/ask failure="no_host" response_code=403"#]),
        (
            "it fails open",
            true,
            both,
            failed,
            vec![r#"allow enforced failure_mode_allowed shop/ask failure="no_host""#],
        ),
        (
            "it fails open, by default",
            true,
            "",
            failed,
            vec![r#"allow enforced failure_mode_allowed shop/ask failure="no_host""#],
        ),
        ("it fails, not asked for", true, r#","record":["deny"]"#, failed, vec![]),
    ] {
        let mut sent = Sent::get("/a").with(&Attribute::SourceAddress, b"10.0.0.1:7");
        let (records, before) = ask(&mut asking(fail_open, "", audit), &mut sent, answer);
        rows.check(title, records.iter().map(shown).collect::<Vec<_>>(), expected);
        rows.check(format!("{title}: before"), before, 0);
        let of_request = |record: &Value| (record["source"].clone(), record["path"].clone());
        let expected = vec![(json!("10.0.0.1:7"), json!("/a")); records.len()];
        rows.check(format!("{title}: request"), records.iter().map(of_request).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_record_has_the_headers_that_were_decided_on() {
    let eve = sets_user("eve");
    let (records, _) = ask(&mut asking(false, "", ""), &mut Sent::get("/a"), Answer::Grpc { message: &eve });
    assert_eq!(records[0]["headers"], json!({"x-user": "eve"}));
}

#[test]
fn of_a_request_that_is_not_held_a_record_has_what_was_read_before_it_went_on() {
    let mut policy = asking(false, r#","mode":"shadow""#, "");
    let mut sent = Sent::get("/a").with(&Attribute::SourceAddress, b"10.0.0.1:7");
    let (records, before) = ask(&mut policy, &mut sent, Answer::Grpc { message: &denied(403) });
    assert_eq!(
        (before, records.iter().map(shown).collect::<Vec<_>>()),
        (0, vec!["deny shadow provider shop/ask".to_owned()])
    );
    assert_eq!((&records[0]["source"], &records[0]["host"]), (&json!("10.0.0.1:7"), &json!("shop.example")));
    // The time is that of the answer.
    assert_eq!(records[0]["time"], json!("1970-01-01T00:00:00.000000Z"));
    assert_eq!(policy.parts().2.map(crate::custom::Custom::held), Some((0, 0)));
}

#[test]
fn a_provider_that_is_not_there_refuses_at_once() {
    let mut policy = policy(r#"{"to":{"log":true}}"#, "", &[ASK]);
    let (records, before) = ask(&mut policy, &mut Sent::get("/a"), Answer::Failed(CallFailure::NotSent));
    let expected = r#"deny enforced error shop/ask failure="no_provider" response_code=403"#;
    assert_eq!((before, records.iter().map(shown).collect::<Vec<_>>()), (1, vec![expected.to_owned()]));
}
