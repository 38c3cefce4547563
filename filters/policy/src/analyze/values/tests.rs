use super::*;
use crate::config::object::Field;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_matching::{Cidr, PathParameters, Template};
use weir_testing::Rows;

fn pattern(text: &str) -> Pattern {
    match (Cidr::parse(text), Template::is_meant(text)) {
        (Some(cidr), _) => Pattern::Cidr(cidr),
        (None, true) => Pattern::Template(Template::parse(text).unwrap()),
        (None, false) => Pattern::parse(text),
    }
}

/// What is found for questions about one place, each with its answer.
fn found(asked: &[(&Field, &[&str], bool)], form: Form) -> Found<Rc<Value>> {
    let mut space = Space::default();
    let mut answered: Vec<Answered> = Vec::new();
    for (field, texts, answer) in asked {
        let patterns: Vec<Pattern> = texts.iter().map(|text| pattern(text)).collect();
        answered.push((space.question(field, PathParameters::Compared, &patterns), *answer));
    }
    answered.sort_unstable();
    answered.dedup();
    Values::default().find(&space, 0, form, &answered)
}

fn texts(texts: &[&str]) -> Value {
    Value::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
}

#[test]
fn a_place_has_a_value_that_answers_all_questions() {
    let mut rows = Rows::default();
    let (x, agent) = (Field::Header("x".into()), Field::Header("user-agent".into()));
    let scheme = Field::Header(":scheme".into());
    for (name, asked, expected) in [
        ("any method is GET", vec![(&Field::Method, &["P*"][..], false)], Some(texts(&["GET"]))),
        ("no method is none", vec![(&Field::Method, &["G*", "P*", "D*", "H*", "O*"], false)], Some(texts(&["x"]))),
        ("a host that patterns leave", vec![(&Field::Host, &["host.*"], false)], Some(texts(&["x"]))),
        ("an empty host, if no other is left", vec![(&Field::Host, &["*"], false)], Some(texts(&[""]))),
        ("a header may be absent", vec![(&x, &["1"], false)], Some(Value::Absent)),
        ("one value for several questions", vec![(&x, &["1*"], true), (&x, &["*2"], true)], Some(texts(&["12"]))),
        ("or two values", vec![(&x, &["1"], true), (&x, &["2"], true)], Some(texts(&["1", "2"]))),
        ("of which none may match", vec![(&x, &["1"], true), (&x, &["2"], true), (&x, &["*2"], false)], None),
        ("Envoy joins values of some headers", vec![(&agent, &["1"], true), (&agent, &["2"], true)], None),
        ("a scheme is one of two", vec![(&scheme, &["http"], false)], Some(texts(&["https"]))),
        ("and no other", vec![(&scheme, &["http*"], false)], None),
        ("a port is a number", vec![(&Field::DestinationPort, &["8080", "80"], false)], Some(Value::Port(1))),
        (
            "a name that is of a namespace",
            vec![(&Field::Namespace, &["shop/*"], true)],
            Some(texts(&["spiffe://cluster.local/ns/shop/sa/x"])),
        ),
        ("a peer has one name", vec![(&Field::Principal, &["a"], true), (&Field::Principal, &["b"], true)], None),
        ("or none", vec![(&Field::Principal, &["*"], false)], Some(Value::Absent)),
        (
            "an address in a range",
            vec![(&Field::RemoteAddress, &["10.0.0.0/8"], true), (&Field::RemoteAddress, &["10.0.0.0/9"], false)],
            Some(Value::Address([10, 128, 0, 1].into())),
        ),
        ("a server name is in lower case", vec![(&Field::ServerName, &["Shop"], true)], None),
    ] {
        let found = match found(&asked, Form::Plain) {
            Found::Some(value) => Some((*value).clone()),
            Found::None => None,
            Found::Unknown => panic!("{name}"),
        };
        rows.check(name, found, expected);
    }
}

#[test]
fn connect_has_no_path() {
    let mut rows = Rows::default();
    let value = |asked: &[(&Field, &[&str], bool)]| match found(asked, Form::Connect) {
        Found::Some(value) => Some((*value).clone()),
        Found::None | Found::Unknown => None,
    };
    rows.check("no path", value(&[(&Field::Path, &["/a"], false)]), Some(Value::Absent));
    rows.check("not any", value(&[(&Field::Path, &["*"], true)]), None);
    rows.check("its method", value(&[(&Field::Method, &["C*"], true)]), Some(texts(&["CONNECT"])));
    rows.check("no other", value(&[(&Field::Method, &["GET"], true)]), None);
    let plain = found(&[(&Field::Method, &["CONNECT"], true)], Form::Plain);
    rows.check("and only its own", plain, Found::None);
}

fn claim(names: &[&str]) -> Field {
    Field::Claim(names.iter().map(|name| Box::from(*name)).collect())
}

#[test]
fn claims_are_texts_lists_or_objects() {
    let mut rows = Rows::default();
    let (group, role, scope) = (claim(&["group"]), claim(&["group", "role"]), claim(&["scope"]));
    for (name, asked, exists) in [
        ("a claim is a text", vec![(&group, &["a"][..], true)], true),
        ("or a list", vec![(&group, &["a"], true), (&group, &["b"], true)], true),
        ("or an object", vec![(&role, &["a"], true), (&group, &["*"], false)], true),
        ("and not both", vec![(&role, &["a"], true), (&group, &["*"], true)], false),
        ("a scope is a word", vec![(&scope, &["a b"], true)], false),
        ("or several", vec![(&scope, &["a"], true), (&scope, &["b"], true)], true),
    ] {
        rows.check(name, matches!(found(&asked, Form::Plain), Found::Some(_)), exists);
    }
}

#[test]
fn a_request_principal_is_two_claims() {
    let mut rows = Rows::default();
    let (issuer, subject) = (claim(&["iss"]), claim(&["sub"]));
    let principal = |issuer: &str, subject: &str| {
        let mut written = Vec::new();
        crate::dynamic::write_request_principal(issuer.as_bytes(), subject.as_bytes(), &mut written);
        String::from_utf8(written).unwrap()
    };
    let both = principal("i", "a");
    let ask = |asked: &[(&Field, &[&str], bool)]| match found(asked, Form::Plain) {
        Found::Some(value) => Some(value),
        Found::None | Found::Unknown => None,
    };
    let of_both = |more: &[(&Field, &[&str], bool)]| {
        let mut asked: Vec<(&Field, &[&str], bool)> = more.to_vec();
        let patterns = [both.as_str()];
        asked.insert(0, (&Field::RequestPrincipal, &patterns, true));
        ask(&asked).is_some()
    };
    rows.check("its own claims", of_both(&[(&issuer, &["i"], true), (&subject, &["a"], true)]), true);
    rows.check("another issuer", of_both(&[(&issuer, &["x"], true)]), false);
    rows.check("not its issuer", of_both(&[(&issuer, &["*"], false)]), false);
    rows.check("a claim inside of the issuer", of_both(&[(&claim(&["iss", "x"]), &["a"], true)]), false);
    // Where both claims are there and no principal is, one is a list.
    let patterns = [both.as_str()];
    let asked: [(&Field, &[&str], bool); 3] =
        [(&Field::RequestPrincipal, &patterns, false), (&issuer, &["i"], true), (&subject, &["a"], true)];
    let Some(value) = ask(&asked) else { panic!("no claims") };
    let Value::Claims(claims) = &*value else { panic!("{value:?}") };
    rows.check("lists", matches!(claims.get("iss"), Some(StructValue::List(_))), true);
}

/// Long lists do not make a search long.
#[test]
fn many_patterns_are_searched_in_few_states() {
    let mut rows = Rows::default();
    let suffixes: Vec<String> = (0..2_000).map(|number| format!("*/{number}.json")).collect();
    let prefixes: Vec<String> = (0..2_000).map(|number| format!("/files/{}/{number}/*", number % 50)).collect();
    let all: Vec<&str> = suffixes.iter().chain(&prefixes).map(String::as_str).collect();
    for (must, exists) in [
        ("/files/7/*", true),
        ("*.json", true),
        ("/files/7/57/*", false),
        ("*/7.json", false),
        ("/files/7/57/{*}", false),
        ("/other/{*}/7.json", false),
        ("/other/{*}/2007.json", true),
        ("*", true),
    ] {
        let found = found(&[(&Field::Path, &[must], true), (&Field::Path, &all, false)], Form::Plain);
        rows.check(must, (matches!(&found, Found::Some(_)), found == Found::Unknown), (exists, false));
    }
}
