//! Foreign functions of Envoy other than CEL, with good and bad arguments.

use crate::host;
use crate::report::{line, show, with};

/// A field of a protocol buffer message that holds text.
fn field(number: u8, text: &[u8]) -> Vec<u8> {
    let size = u8::try_from(text.len()).unwrap_or(u8::MAX).min(0x7f);
    let mut out = vec![(number << 3) | 2, size];
    out.extend(text.iter().take(usize::from(size)));
    out
}

pub(crate) fn run() {
    for (name, arguments) in [
        ("nope", Vec::new()),
        ("", Vec::new()),
        ("clear_route_cache", Vec::new()),
        ("clear_route_cache", b"ignored".to_vec()),
        ("set_envoy_filter_state", b"\xff\xff".to_vec()),
        ("set_envoy_filter_state", Vec::new()),
        ("set_envoy_filter_state", [field(1, b"probe.unknown"), field(2, b"v")].concat()),
        ("declare_property", b"\xff\xff".to_vec()),
        ("declare_property", field(1, b"declared")),
        ("declare_property", field(1, b"declared")),
        ("verify_signature", b"\xff\xff".to_vec()),
        ("verify_signature", Vec::new()),
        ("sign", b"\xff\xff".to_vec()),
        ("compress", Vec::new()),
        ("uncompress", b"not compressed".to_vec()),
        ("expr_create", Vec::new()),
        ("expr_evaluate", Vec::new()),
        ("expr_evaluate", b"\xff\xff\xff\x7f".to_vec()),
        ("expr_evaluate", b"\0\0\0\0\0".to_vec()),
        ("expr_delete", Vec::new()),
        ("expr_delete", b"\xff\xff\xff\x7f".to_vec()),
    ] {
        let (status, result) = host::foreign(name.as_bytes(), &arguments);
        with(&format!("call_foreign_function(`{name}`, {})", show(&arguments)), status, &show(&result));
    }
    let text = b"the same again, the same again, the same again";
    let (status, packed) = host::foreign(b"compress", text);
    with("call_foreign_function(`compress`, text)", status, if packed.is_empty() { "" } else { "<bytes>" });
    let (status, back) = host::foreign(b"uncompress", &packed);
    with("call_foreign_function(`uncompress`, packed)", status, if back == text { "the text" } else { "other" });
    tokens();
}

/// What tokens of expressions are, and that they end with `expr_delete`.
fn tokens() {
    let mut made = Vec::new();
    for _ in 0..3 {
        let (status, token) = host::foreign(b"expr_create", b"1 + 1");
        with("expr_create(`1 + 1`)", status, &format!("{} bytes", token.len()));
        made.push(token);
    }
    let number = |token: &Vec<u8>| token.as_slice().try_into().ok().map_or(0, u32::from_le_bytes);
    let steps: Vec<String> =
        made.windows(2).filter_map(|pair| Some((number(pair.last()?) - number(pair.first()?)).to_string())).collect();
    line("tokens grow by", &steps.join(" "));
    for token in &made {
        let (status, value) = host::foreign(b"expr_evaluate", token);
        with("expr_evaluate(live)", status, &show(&value));
        let (status, value) = host::foreign(b"expr_delete", token);
        with("expr_delete(live)", status, &show(&value));
        let (status, value) = host::foreign(b"expr_evaluate", token);
        with("expr_evaluate(deleted)", status, &show(&value));
        let (status, value) = host::foreign(b"expr_delete", token);
        with("expr_delete(deleted)", status, &show(&value));
    }
}
