//! CUSTOM policies beside expressions: all that the decision may need is evaluated before the request waits.

use super::super::cel::Host;
use super::world::PEERS;
use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A rule: a header, if one is given, and expressions.
fn spec(action: &str, user: &str, cel: &str) -> String {
    let user = match user {
        "" => String::new(),
        user => format!(r#"{{"key":"request.headers[x-user]","values":["{user}"]}},"#),
    };
    format!(r#"{{"action":"{action}","rules":[{{"when":[{user}{{"key":"cel","values":["{cel}"]}}]}}]}}"#)
}

/// A request of eve, which a provider makes one of `user`: what it comes to, what was asked of Envoy, what was counted.
fn flown(policy: Policy, user: Option<&str>) -> (String, String, Vec<String>) {
    let mut host = Host::of(&policy);
    host.first = policy.custom.as_ref().and_then(|custom| custom.asked()).map(|_| PEERS);
    let mut world = World::new(policy);
    let mut flight = world.request_of(&A, &host);
    if flight.callout.is_some() {
        let edits = user.map(|user| option("X-User", user)).into_iter().collect();
        // Nothing is evaluated from here on.
        world.answer(&mut flight, Answer::Grpc { message: &allowed(edits) }, Duration::ZERO);
    }
    (status_of(&flight.verdict), host.asked(), world.counted())
}

#[test]
fn an_expression_says_whether_a_provider_is_asked() {
    let mut rows = Rows::default();
    for (cel, calls, errors) in [("t", 1, 0), ("f", 0, 0), ("e", 1, 1)] {
        let custom = format!(
            r#"{{"action":"CUSTOM","provider":{{"name":"p"}},"rules":[{{"when":[{{"key":"cel","values":["{cel}"]}}]}}]}}"#
        );
        let (outcome, asked, counted) = flown(asks(GRPC, "", &[("ask", "", &custom)]), None);
        let of = |prefix: &str| counted.iter().filter(|one| one.starts_with(prefix)).count();
        rows.check(cel, (outcome.as_str(), asked.as_str()), ("continue", cel));
        rows.check(cel, (of("call"), of("cel error")), (calls, errors));
    }
}

#[test]
fn what_may_be_needed_after_the_provider_s_edits_is_evaluated_before_the_wait() {
    let mut rows = Rows::default();
    let sni = r#"{"action":"DENY","rules":[{"when":[{"key":"connection.sni","values":["x"]},{"key":"cel","values":["t9"]}]}]}"#;
    for (deny, allow, user, outcome, asked) in [
        // The rule is about the user that the provider has made of eve.
        (
            ("ann", "t1"),
            ("", "t2"),
            Some("ann"),
            "403 rbac_access_denied_matched_policy[ns[shop]-policy[no]-rule[0]]",
            "t2 t1",
        ),
        (("ann", "f1"), ("", "t2"), Some("ann"), "continue", "t2 f1"),
        (
            ("ann", "e1"),
            ("", "t2"),
            Some("ann"),
            "403 rbac_access_denied[cel-unknown]_needed_by[ns[shop]-policy[no]-rule[0]]",
            "t2 e1",
        ),
        (("ann", "t1"), ("", "t2"), Some("bob"), "continue", "t2 t1"),
        (("eve", "f1"), ("bob", "t2"), Some("bob"), "continue", "t2 f1"),
        (
            ("eve", "t1"),
            ("", "t2"),
            None,
            "403 rbac_access_denied_matched_policy[ns[shop]-policy[no]-rule[0]]",
            "t1 t2",
        ),
        (("ann", "t1"), ("", "t2"), None, "continue", "t2 t1"),
        (("ann", "t1"), ("", "f2"), None, "403 rbac_access_denied_matched_policy[none]", "f2 t1"),
    ] {
        let policies = [("no", spec("DENY", deny.0, deny.1)), ("ok", spec("ALLOW", allow.0, allow.1))];
        let [no, ok] = policies.each_ref().map(|(name, spec)| (*name, "", spec.as_str()));
        let (found, mut of_host, counted) = flown(asks(GRPC, "", &[CUSTOM, ("never", "", sni), no, ok]), user);
        // What is evaluated first does not matter.
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            words.sort_unstable();
            words.join(" ")
        };
        of_host = sorted(&of_host);
        rows.check(format!("{deny:?} {allow:?} {user:?}"), (found.as_str(), of_host), (outcome, sorted(asked)));
        let errors = counted.iter().filter(|one| one.starts_with("cel error")).count();
        rows.check(format!("{deny:?} {allow:?} {user:?} errors"), errors, usize::from(deny.1 == "e1"));
    }
}

#[test]
fn a_request_that_no_provider_can_be_asked_about_evaluates_no_more_than_it_needs() {
    let policies = [CUSTOM, ("no", "", &*spec("DENY", "ann", "t1"))];
    // Without a provider what the CUSTOM policy matches is refused.
    let (_, asked, _) = flown(policy("", &policies).unwrap(), None);
    assert_eq!(asked, "");
    let (_, asked, _) = flown(asks(GRPC, "", &policies), None);
    assert_eq!(asked, "t1");
}
