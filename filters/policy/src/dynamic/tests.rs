use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::read_document;
use weir_testing::Rows;

/// A pattern, read as the document `"text"` would be.
fn principal(text: &str) -> Option<Pattern> {
    let document = format!("{text:?}");
    read_document(document.as_bytes(), |at| request_principal(&at, text)).ok()
}

/// Whether `text` matches, as Istio makes two of Envoy's string matchers of it (`requestPrincipalGenerator`).
fn reference(text: &str, issuer: &str, subject: &str) -> bool {
    let split = text.rsplit_once('/');
    let any = |value: &str| !value.is_empty();
    if text == "*" {
        return any(issuer) && any(subject);
    }
    let after_star = |text: &str| text.strip_prefix('*').unwrap().to_owned();
    let before_star = |text: &str| text.strip_suffix('*').unwrap().to_owned();
    if text.starts_with('*') {
        return match split {
            Some(("*", wanted)) => any(issuer) && subject == wanted,
            Some((ending, wanted)) => issuer.ends_with(&after_star(ending)) && subject == wanted,
            None => any(issuer) && subject.ends_with(&after_star(text)),
        };
    }
    if text.ends_with('*') {
        return match split {
            Some((wanted, "*")) => issuer == wanted && any(subject),
            Some((wanted, start)) => issuer == wanted && subject.starts_with(&before_star(start)),
            None => issuer.starts_with(&before_star(text)) && any(subject),
        };
    }
    match split {
        Some((wanted, other)) => issuer == wanted && subject == other,
        None => issuer == text && subject.is_empty(),
    }
}

/// All texts over `alphabet` of up to `longest` characters.
fn texts(alphabet: &[char], longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut from = 0;
    for _ in 0..longest {
        let to = all.len();
        for place in from..to {
            for character in alphabet {
                let text = format!("{}{character}", all[place]);
                all.push(text);
            }
        }
        from = to;
    }
    all
}

#[test]
fn a_request_principal_matches_as_istios_two_matchers_do() {
    let claims = texts(&['a', 'b', '/', '*'], 2);
    let mut rows = Rows::default();
    let mut written = Vec::new();
    let mut matched = 0;
    for text in texts(&['a', 'b', '/', '*'], 4).iter().filter(|text| !text.is_empty()) {
        let pattern = principal(text);
        for issuer in &claims {
            for subject in &claims {
                assert!(write_request_principal(issuer.as_bytes(), subject.as_bytes(), &mut written));
                let expected = reference(text, issuer, subject);
                matched += u32::from(expected);
                rows.check(
                    format!("{text} on {issuer:?}, {subject:?}"),
                    pattern.as_ref().map(|pattern| pattern.matches(&written)),
                    Some(expected),
                );
            }
        }
    }
    assert!(matched > 1_000, "{matched}");
}

#[test]
fn issuers_are_addresses_and_subjects_have_any_characters() {
    let mut rows = Rows::default();
    for (text, issuer, subject) in [
        ("https://accounts.example.com/1234", "https://accounts.example.com", "1234"),
        ("https://accounts.example.com/*", "https://accounts.example.com", "1234"),
        ("*/1234", "https://accounts.example.com", "1234"),
        ("accounts.*", "accounts.example.com", "1234"),
        ("*@example.com", "https://accounts.example.com", "me@example.com"),
        ("testing@secure.istio.io/testing@secure.istio.io", "testing@secure.istio.io", "testing@secure.istio.io"),
        ("i/ä€", "i", "ä€"),
        ("*", "i", "a/b"),
    ] {
        let mut written = Vec::new();
        assert!(write_request_principal(issuer.as_bytes(), subject.as_bytes(), &mut written));
        rows.check(text, principal(text).map(|pattern| pattern.matches(&written)), Some(true));
        rows.check(text, reference(text, issuer, subject), true);
    }
}

#[test]
fn control_characters_cannot_stand_for_a_separator() {
    let mut rows = Rows::default();
    let mut written = Vec::new();
    for (issuer, subject) in [("i\u{0}x", "s"), ("i", "x\u{0}s"), ("\u{2}", "s"), ("i", "\n"), ("i\t", "s")] {
        let comparable = write_request_principal(issuer.as_bytes(), subject.as_bytes(), &mut written);
        rows.check(format!("{issuer:?} {subject:?}"), comparable, false);
    }
    for text in ["i\u{0}s", "*x\u{0}", "\u{1}*"] {
        rows.check(format!("{text:?}"), principal(text).is_none(), true);
    }
}

#[test]
fn metadata_is_a_string_or_a_list_of_them() {
    // What is given, the metadata's string or the strings of its list, and whether it matches.
    let (one, list) = (|text| (false, vec![text]), |items: &[&'static str]| (true, items.to_vec()));
    let mut rows = Rows::default();
    for (text, (is_list, values), expected) in [
        ("a", one("a"), true),
        ("a", one("ab"), false),
        ("a", list(&["a"]), false),
        ("a*", one("ab"), true),
        ("*b", one("ab"), true),
        ("*b", one("b"), true),
        ("*s", one(""), false),
        ("*s", one("a"), false),
        ("*", one("a"), true),
        ("*", one(""), false),
        ("*", list(&["a"]), false),
        ("[a]", list(&["b", "a"]), true),
        ("[a]", list(&["b"]), false),
        ("[a]", one("a"), false),
        ("[a]", one("[a]"), false),
        ("[a*]", list(&["ab"]), true),
        ("[*b]", list(&["ab"]), true),
        ("[*]", list(&["", "a"]), true),
        ("[*]", list(&[""]), false),
        ("[*]", list(&[]), false),
        ("[]", list(&[""]), true),
        ("[]", list(&["a"]), false),
        ("[[a]]", list(&["a"]), true),
        ("[a", one("[a"), true),
        ("ia", one("a"), false),
    ] {
        let mut written = Vec::new();
        let found = values.iter().any(|value| {
            let write = if is_list { write_item } else { write_text };
            write(value.as_bytes(), &mut written);
            metadata(text).matches(&written)
        });
        rows.check(format!("{text} on {values:?}, list: {is_list}"), found, expected);
    }
}
