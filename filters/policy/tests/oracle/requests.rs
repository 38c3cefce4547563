//! Random requests of the vocabulary of the policies.

use super::claims::Metadata;
use super::generator::Random;
use super::naive::Request;
use serde_json::{Map, Value, json};

fn bytes(random: &mut Random, words: &[&str]) -> Vec<u8> {
    if random.chance(5) {
        return (0..random.below(20)).map(|_| random.below(256) as u8).collect();
    }
    random.pick(words).as_bytes().to_vec()
}

fn perhaps(random: &mut Random, percent: usize, words: &[&str]) -> Option<Vec<u8>> {
    random.chance(percent).then(|| bytes(random, words))
}

/// A request, one value in twenty of random bytes.
pub(crate) fn request(random: &mut Random) -> Request {
    let mut headers = Vec::new();
    let nested = [random.below(60), random.below(60)].map(|bytes| "a".repeat(bytes));
    let (nested, ending) = (format!("/{}", nested[0]), format!("/{}b", nested[1]));
    let paths = [
        nested.as_str(),
        ending.as_str(),
        "/a/s1",
        "/a/b/s7",
        "/s3",
        "/a//s1/t",
        "/a/b\u{e4}/s1",
        "/a/s1/t/s1",
        "/",
        "/a",
        "/a/b",
        "/a/b/c",
        "/a/",
        "//",
        "/a//c",
        "/a?q",
        "/a/b#f?x",
        "/x/b",
        "/a/*",
        "*",
        "/xzy",
        "/\u{e4}b",
    ];
    let fields: [(&str, usize, &[&str]); 6] = [
        (":path", 97, &paths),
        (":method", 98, &["GET", "POST", "PUT", "get"]),
        (":authority", 97, &["h", "H", "h.example", "H.Example", "h:80", ""]),
        ("x", 60, &["1", "12", " 1 ", "2", "", "x y"]),
        ("x", 30, &["1", "12", "2"]),
        ("y-y", 40, &["1", "12", "x"]),
    ];
    for (name, percent, words) in fields {
        headers.extend(perhaps(random, percent, words).map(|value| (name.as_bytes().to_vec(), value)));
    }
    if random.chance(10) {
        headers.push((bytes(random, &["z"]), bytes(random, &["z"])));
    }
    if random.chance(10) {
        // Many copies of a header, alike or not.
        for copy in 0..random.below(90) {
            let value = if random.chance(50) { "1".to_owned() } else { copy.to_string() };
            headers.push((b"x".to_vec(), value.into_bytes()));
        }
    }
    let named = |bytes: usize| format!("spiffe://td/ns/n1/sa/a/{}", "x".repeat(bytes - 23));
    let (longest, too_long) = (named(2048), named(2049));
    let sans = [
        &longest,
        &too_long,
        "spiffe://td/ns/n1/sa/a",
        "spiffe://td2/ns/n2/sa/b",
        "spiffe://td/ns/n1/sa/b",
        "spiffe://cluster.local/ns/n1/sa/a",
        "spiffe://td",
        "https://td/ns/n1/sa/a",
        "spiffe://td/ns/n1/sa/a\0",
        "spiffe:///ns/n1/sa/a",
        "spiffe://td/ns/n1/x/sa/a/b",
        "spiffe://ns/n1/sa/a",
        "spiffe://td/ns/team-7-x/sa/a",
        "",
    ];
    let addresses = ["10.1.2.3:5", "10.9.9.9:80", "[fd00::1]:8080", "192.168.0.9:0", "[::1]:80", "1.1.1.1:80"];
    Request {
        headers,
        san: perhaps(random, 70, &sans),
        remote: perhaps(random, 98, &addresses),
        destination: perhaps(random, 98, &addresses),
        direct: perhaps(random, 90, &["10.1.2.3", "10.9.9.9", "fd00::1", "9.9.9.9"]),
        server_name: perhaps(random, 50, &["h", "a.example", ""]),
        metadata: if random.chance(3) { Metadata::Unreadable } else { Metadata::Known(metadata(random)) },
    }
}

/// Metadata of the JWT filter and of another one; one text in forty has a byte that is not compared.
fn metadata(random: &mut Random) -> Value {
    let mut filters = json!({});
    if random.chance(70) {
        let mut claims = Map::new();
        for name in ["iss", "sub", "aud", "azp", "group", "[group]"] {
            if random.chance(80) {
                claims.insert(name.to_owned(), value(random, 0));
            }
        }
        let payload = if random.chance(3) { json!("text") } else { Value::Object(claims) };
        filters["envoy.filters.http.jwt_authn"] = json!({"payload": payload, "iss": "i"});
    }
    if random.chance(60) {
        filters["envoy.filters.x"] = json!({"k": value(random, 1), "k][l": value(random, 1)});
    }
    filters
}

fn value(random: &mut Random, depth: usize) -> Value {
    const TEXTS: &[&str] = &["a", "a", "b", "i", "i", "https://i/x", "", "ab", "*", "[a]", "a b", "1", "\u{e4}b"];
    let mut text = || match random.below(80) {
        0 => "a\nb".to_owned(),
        1 => "\u{0}a".to_owned(),
        _ => random.pick(TEXTS).to_owned(),
    };
    let texts = [text(), text()];
    match random.below(if depth < 3 { 20 } else { 16 }) {
        0..=11 => texts[0].clone().into(),
        12 => json!(texts),
        13 => json!([1, texts[0], [texts[1]], {"role": texts[1]}]),
        14 => json!([]),
        15 => [json!(1), json!(true), json!(null)][random.below(3)].clone(),
        _ => json!({"role": value(random, depth + 1), "": 1}),
    }
}
