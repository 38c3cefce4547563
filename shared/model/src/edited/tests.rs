use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn names_are_tokens() {
    let tokens = (0..=u8::MAX).filter(|byte| is_header_name(&[*byte]));
    let others = b"!#$%&'*+-.^_`|~";
    let expected = (0..=u8::MAX).filter(|byte| byte.is_ascii_alphanumeric() || others.contains(byte));
    assert_eq!(tokens.collect::<Vec<u8>>(), expected.collect::<Vec<u8>>());
    assert!(is_header_name(b":path") && !is_header_name(b":") && !is_header_name(b""));
}

fn pairs(text: &str) -> Vec<(&str, &str)> {
    text.split(' ').filter_map(|pair| pair.split_once('=')).collect()
}

fn edit(text: &str) -> HeaderEdit {
    let bytes = |text: &str| text.as_bytes().to_vec();
    match (text.split_once('+'), text.split_once('='), text.strip_prefix('-')) {
        (Some((name, value)), ..) => HeaderEdit::Add(bytes(name), bytes(value)),
        (None, Some((name, value)), _) => HeaderEdit::Replace(bytes(name), bytes(value)),
        (None, None, name) => HeaderEdit::Remove(bytes(name.unwrap_or_default())),
    }
}

#[test]
fn edits_are_those_of_envoy() {
    let mut rows = Rows::default();
    for (before, edits, after) in [
        ("a=1 b=2", "a+3", "a=1 b=2 a=3"),
        ("a=1 b=2 a=3", "a=4", "a=4 b=2"),
        ("b=2 a=1 a=3 c=5", "a=4", "b=2 a=4 c=5"),
        ("b=2", "a=4", "b=2 a=4"),
        ("a=1 b=2 a=3", "-a", "b=2"),
        ("a=1", "-a a+2 a+3 a=4", "a=4"),
        ("a=1", "-b", "a=1"),
    ] {
        let mut block = PairsBuilder::default();
        for (name, value) in pairs(before) {
            block.push(name.as_bytes(), value.as_bytes());
        }
        let (block, attributes) = (block.finish(), Attributes::default());
        let mut kept = Kept::new(&Facts {
            request_headers: Headers::new(&block),
            response_headers: Headers::default(),
            response_trailers: Headers::default(),
            attributes: &attributes,
        });
        let edits: Vec<HeaderEdit> = edits.split(' ').map(edit).collect();
        kept.edit(&edits);
        let found = kept.facts().request_headers.iter();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let found: Vec<String> = found.map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
        rows.check(format!("{before}: {edits:?}"), found.join(" "), after.to_owned());
    }
}
