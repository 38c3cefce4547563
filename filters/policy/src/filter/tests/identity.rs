//! Who the peer is.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn identities() {
    let mut rows = Rows::default();
    let spec = |field: &str, value: &str| {
        format!(r#"{{"action":"ALLOW","rules":[{{"from":[{{"source":{{"{field}":["{value}"]}}}}]}}]}}"#)
    };
    let id = "spiffe://cluster.local/ns/shop/sa/front";
    let cases = [
        ("principals", "cluster.local/ns/shop/sa/front", id, true),
        ("principals", "*/ns/shop/sa/front", id, true),
        ("principals", "cluster.local/ns/*", id, true),
        ("principals", "*", id, true),
        ("principals", "*", "", false),
        ("principals", "*", "https://other", true),
        ("principals", "*", "spiffe://a\u{0}b", false),
        ("principals", "spiffe://cluster.local/ns/shop/sa/front", id, false),
        ("notPrincipals", "cluster.local/ns/shop/sa/front", "", true),
        ("notPrincipals", "cluster.local/ns/shop/sa/front", id, false),
        ("namespaces", "shop", id, true),
        ("namespaces", "sh*", id, true),
        ("namespaces", "shopp", id, false),
        ("notNamespaces", "shop", "", true),
        ("serviceAccounts", "front", id, true),
        ("serviceAccounts", "shop/front", id, true),
        ("serviceAccounts", "stock/front", id, false),
        ("trustDomains", "cluster.local", id, true),
        ("trustDomains", "*.local", id, true),
        ("trustDomains", "other", id, false),
        // A namespace is searched for in the whole URI, with any scheme.
        ("namespaces", "foo", "spiffe://ns/foo/sa/a", true),
        ("namespaces", "foo", "https://td/ns/foo/sa/a", true),
        ("namespaces", "foo", "SPIFFE://td/ns/foo/sa/a", true),
        ("notNamespaces", "foo", "https://td/ns/foo/sa/a", false),
        ("serviceAccounts", "foo/a", "spiffe://ns/foo/sa/a", false),
        ("serviceAccounts", "foo/a", "https://td/ns/foo/sa/a", false),
        ("principals", "*/sa/a", "https://td/ns/foo/sa/a", false),
        ("principals", "td", "spiffe://td", true),
        ("principals", "*", "spiffe://", true),
        // Any SPIFFE ID is of some trust domain, and only one with a path of one that is named.
        ("trustDomains", "*", "spiffe://td", true),
        ("trustDomains", "*", "spiffe://", true),
        ("trustDomains", "td", "spiffe://td", false),
        ("trustDomains", "td", "spiffe://td/", true),
        ("trustDomains", "*", "https://td/a", false),
        ("notTrustDomains", "td", "spiffe://td", true),
    ];
    for (field, value, san, allowed) in cases {
        let mut policy = policy("", &[("p", "", &spec(field, value))]).unwrap();
        let mut attributes = Attributes::default();
        attributes.set(&Attribute::PeerUriSan, san.as_bytes());
        let (verdict, _, _) = run(&mut policy, &GET, &attributes);
        rows.check(format!("{field} {value} {san}"), verdict == Verdict::Continue, allowed);
    }
    let extra = r#","workload":{"peerUriSans":{"filterState":"sans"}}"#;
    let mut policy = policy(extra, &[("p", "", &spec("principals", "b"))]).unwrap();
    let mut attributes = Attributes::default();
    attributes.set(&Attribute::PeerUriSan, b"spiffe://a");
    assert_ne!(run(&mut policy, &GET, &attributes).0, Verdict::Continue);
    attributes.set(&Attribute::FilterState("sans".into()), b"spiffe://a,spiffe://b");
    assert_eq!(run(&mut policy, &GET, &attributes).0, Verdict::Continue);
}

#[test]
fn an_unknown_peer_gains_nothing_and_escapes_nothing() {
    let fields = [
        ("principals", "*"),
        ("principals", "cluster.local/ns/shop/sa/a"),
        ("principals", "*/sa/other"),
        ("namespaces", "shop"),
        ("namespaces", "s*"),
        ("serviceAccounts", "shop/a"),
        ("trustDomains", "cluster.local"),
        ("notPrincipals", "*"),
        ("notPrincipals", "cluster.local/ns/shop/sa/a"),
        ("notNamespaces", "shop"),
        ("notServiceAccounts", "shop/a"),
        ("notTrustDomains", "cluster.local"),
    ];
    let sans = Attribute::FilterState("sans".into());
    let peers: [(&str, Option<&str>, bool); 10] = [
        ("spiffe://cluster.local/ns/shop/sa/a\n", None, false),
        ("spiffe://cluster.local/ns/shop/sa/\u{e4}", None, false),
        ("spiffe://cluster.local/ns/shop/sa/a\u{0}", None, false),
        ("spiffe://cluster.local/ns/shop/sa/a\u{0}.evil", None, false),
        ("\u{0}", None, false),
        ("https://a\u{0}", None, false),
        ("spiffe://b", Some("spiffe://b,spiffe://cluster.local/ns/shop/sa/a\u{0}"), true),
        ("spiffe://b\u{0}", Some("spiffe://cluster.local/ns/shop/sa/a"), true),
        // Where all names should be, they are not.
        ("spiffe://cluster.local/ns/shop/sa/a", None, true),
        ("https://a", None, true),
    ];
    let mut rows = Rows::default();
    for (first, all, is_given) in peers {
        for (field, value) in fields {
            for action in ["ALLOW", "DENY"] {
                let spec =
                    format!(r#"{{"action":"{action}","rules":[{{"from":[{{"source":{{"{field}":["{value}"]}}}}]}}]}}"#);
                let extra = if is_given { r#","workload":{"peerUriSans":{"filterState":"sans"}}"# } else { "" };
                let mut policy = policy(extra, &[("p", "", &spec)]).unwrap();
                let mut attributes = Attributes::default();
                attributes.set(&Attribute::PeerUriSan, first.as_bytes());
                if let Some(all) = all {
                    attributes.set(&sans, all.as_bytes());
                }
                let (verdict, _, _) = run(&mut policy, &GET, &attributes);
                rows.check(format!("{action} {field} {value}: {first:?} {all:?}"), verdict != Verdict::Continue, true);
            }
        }
    }
}

#[test]
fn all_names_of_a_peer() {
    let mut rows = Rows::default();
    let allows = |first: &str, all: &str, principal: &str| {
        let spec =
            format!(r#"{{"action":"ALLOW","rules":[{{"from":[{{"source":{{"principals":["{principal}"]}}}}]}}]}}"#);
        let mut policy = policy(r#","workload":{"peerUriSans":{"filterState":"sans"}}"#, &[("p", "", &spec)]).unwrap();
        let mut attributes = Attributes::default();
        attributes.set(&Attribute::PeerUriSan, first.as_bytes());
        attributes.set(&Attribute::FilterState("sans".into()), all.as_bytes());
        run(&mut policy, &GET, &attributes).0 == Verdict::Continue
    };
    for (first, all, principal, allowed) in [
        ("spiffe://a", "spiffe://a", "a", true),
        ("spiffe://a", "spiffe://a,spiffe://b", "a", true),
        ("spiffe://a", "spiffe://a,spiffe://b", "b", true),
        ("spiffe://a", "spiffe://a,spiffe://b", "c", false),
        ("spiffe://a", "spiffe://ab", "ab", true),
        ("spiffe://a", "spiffe://ab", "b", false),
        // A comma in the first name does not begin a second.
        ("https://a/,spiffe://b", "https://a/,spiffe://b", "b", false),
        ("spiffe://a,spiffe://b", "spiffe://a,spiffe://b", "b", false),
        ("spiffe://a,spiffe://b", "spiffe://a,spiffe://b,spiffe://c", "c", true),
        ("spiffe://a,spiffe://b", "spiffe://a,spiffe://b,spiffe://c", "*b", true),
        // Envoy writes `-` where there is none.
        ("", "-", "*", false),
    ] {
        rows.check(format!("{first} {all} {principal}"), allows(first, all, principal), allowed);
    }
}

/// Whether an ALLOW policy with one field of `source` lets a request pass.
fn allows(extra: &str, field: &str, value: &str, attributes: &Attributes) -> bool {
    let spec = format!(r#"{{"action":"ALLOW","rules":[{{"from":[{{"source":{{"{field}":["{value}"]}}}}]}}]}}"#);
    run(&mut policy(extra, &[("p", "", &spec)]).unwrap(), &GET, attributes).0 == Verdict::Continue
}

#[test]
fn the_principal_in_filter_state_is_the_peer_whatever_the_certificate_says() {
    let mut rows = Rows::default();
    let certificate = "spiffe://td/ns/shop/sa/certificate";
    let state = "spiffe://td/ns/shop/sa/state";
    for (in_state, field, value, allowed) in [
        (Some(state), "principals", "td/ns/shop/sa/state", true),
        (Some(state), "principals", "td/ns/shop/sa/certificate", false),
        (Some(state), "notPrincipals", "td/ns/shop/sa/certificate", true),
        (Some(state), "notPrincipals", "td/ns/shop/sa/state", false),
        (Some(state), "principals", "*", true),
        (Some(state), "namespaces", "shop", true),
        (Some(state), "serviceAccounts", "state", true),
        (Some(state), "serviceAccounts", "certificate", false),
        (Some(state), "trustDomains", "td", true),
        // It is one name: Envoy compares it as a whole.
        (Some("spiffe://a,spiffe://b"), "principals", "b", false),
        (Some("spiffe://a,spiffe://b"), "principals", "a,spiffe://b", true),
        // An empty one is not an identity.
        (Some(""), "principals", "*", false),
        (Some(""), "notPrincipals", "td/ns/shop/sa/certificate", true),
        // Bytes that are not text are not a name.
        (Some("spiffe://a\u{1}"), "principals", "*", false),
        (Some("spiffe://a\u{1}"), "notPrincipals", "b", false),
        (None, "principals", "td/ns/shop/sa/certificate", true),
        (None, "principals", "td/ns/shop/sa/state", false),
    ] {
        let mut attributes = Attributes::default();
        attributes.set(&Attribute::PeerUriSan, certificate.as_bytes());
        if let Some(in_state) = in_state {
            attributes.set(&Attribute::PeerPrincipal, in_state.as_bytes());
        }
        rows.check(format!("{in_state:?} {field} {value}"), allows("", field, value, &attributes), allowed);
    }
}

#[test]
fn what_cannot_be_read_is_unknown_and_what_is_not_there_is_absent() {
    let sans = Attribute::FilterState("sans".into());
    let extra = r#","workload":{"peerUriSans":{"filterState":"sans"}}"#;
    // Nothing at all is a peer without a name.
    assert!(allows(extra, "notPrincipals", "td/ns/shop/sa/a", &Attributes::default()));
    assert!(!allows(extra, "principals", "*", &Attributes::default()));
    let mut rows = Rows::default();
    for unreadable in [&Attribute::PeerPrincipal, &Attribute::PeerUriSan, &sans] {
        let mut attributes = Attributes::default();
        attributes.set_unreadable(unreadable);
        for (field, value) in
            [("notPrincipals", "a"), ("principals", "*"), ("notNamespaces", "a"), ("notTrustDomains", "a")]
        {
            rows.check(format!("{unreadable:?} {field}"), allows(extra, field, value, &attributes), false);
        }
        let spec = r#"{"action":"DENY","rules":[{"from":[{"source":{"principals":["unknown"]}}]}]}"#;
        let (verdict, counted, text) = run(&mut policy(extra, &[("p", "", spec)]).unwrap(), &GET, &attributes);
        let Verdict::Reply(reply) = verdict else { panic!("{unreadable:?}: {verdict:?}") };
        rows.check(
            format!("{unreadable:?}"),
            reply.details,
            "rbac_access_denied[peer-identity-unknown]_needed_by[ns[shop]-policy[p]-rule[0]]",
        );
        rows.check(format!("{unreadable:?}"), text, "deny shop/p[0] peer-identity-unknown");
        rows.check(
            format!("{unreadable:?}: {counted:?}"),
            counted.iter().all(|name| name.contains("decision=deny mode=enforced reason=unknown")),
            true,
        );
    }
    let mut attributes = Attributes::default();
    attributes.set_unreadable(&Attribute::PeerSubject);
    assert!(!allows("", "notPrincipals", "*", &attributes));
    let spec = r#"{"action":"DENY","rules":[{"when":[{"key":"connection.sni","values":["a"]}]}]}"#;
    let mut attributes = Attributes::default();
    assert_eq!(run(&mut policy("", &[("p", "", spec)]).unwrap(), &GET, &attributes).0, Verdict::Continue);
    attributes.set_unreadable(&Attribute::RequestedServerName);
    assert_ne!(run(&mut policy("", &[("p", "", spec)]).unwrap(), &GET, &attributes).0, Verdict::Continue);
}

#[test]
fn any_peer_is_one_with_a_name_of_any_kind() {
    let mut rows = Rows::default();
    for (attribute, name, allowed) in [
        (Attribute::PeerUriSan, "https://a", true),
        (Attribute::PeerDnsSan, "a.example", true),
        (Attribute::PeerSubject, "CN=a", true),
        (Attribute::PeerSubject, "", false),
    ] {
        let mut attributes = Attributes::default();
        attributes.set(&attribute, name.as_bytes());
        rows.check(format!("{attribute:?} {name}"), allows("", "principals", "*", &attributes), allowed);
        rows.check(format!("{attribute:?} {name}"), allows("", "notPrincipals", "*", &attributes), !allowed);
    }
}

#[test]
fn aliases_are_one_trust_domain_wherever_it_is_named() {
    let mut rows = Rows::default();
    let extra = r#","workload":{"trustDomain":"td1","trustDomainAliases":["td2","*-old"]}"#;
    for (field, value, san, allowed) in [
        ("trustDomains", "td1", "spiffe://td1/ns/a/sa/a", true),
        ("trustDomains", "td1", "spiffe://td2/ns/a/sa/a", true),
        ("trustDomains", "td2", "spiffe://td1/ns/a/sa/a", true),
        ("trustDomains", "td1", "spiffe://very-old/ns/a/sa/a", true),
        ("trustDomains", "td1", "spiffe://td3/ns/a/sa/a", false),
        ("trustDomains", "td*", "spiffe://very-old/ns/a/sa/a", false),
        ("trustDomains", "very-old", "spiffe://td1/ns/a/sa/a", false),
        ("trustDomains", "cluster.local", "spiffe://td1/ns/a/sa/a", false),
        ("notTrustDomains", "td1", "spiffe://td2/ns/a/sa/a", false),
        ("notTrustDomains", "td2", "spiffe://td3/ns/a/sa/a", true),
        ("principals", "cluster.local/ns/a/sa/a", "spiffe://td2/ns/a/sa/a", true),
    ] {
        let mut attributes = Attributes::default();
        attributes.set(&Attribute::PeerUriSan, san.as_bytes());
        rows.check(format!("{field} {value} {san}"), allows(extra, field, value, &attributes), allowed);
    }
    let spec = r#"{"action":"DENY","rules":[{"when":[{"key":"source.trustDomain","values":["td1"]}]}]}"#;
    let mut attributes = Attributes::default();
    attributes.set(&Attribute::PeerUriSan, b"spiffe://td2/ns/a/sa/a");
    assert_ne!(run(&mut policy(extra, &[("p", "", spec)]).unwrap(), &GET, &attributes).0, Verdict::Continue);
}
