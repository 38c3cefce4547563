use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::read_document;
use weir_model::PairsBuilder;
use weir_testing::Rows;

#[test]
fn values_are_those_of_envoy() {
    let block =
        PairsBuilder::default().push(b":authority", b"a.example").push(b":path", b"/a").push(b"x-b", b"bee").finish();
    let mut rows = Rows::default();
    for (text, expected) in [
        ("plain", Ok(Some("plain"))),
        ("", Ok(None)),
        ("%REQ(:AUTHORITY)%%REQ(:PATH)%", Ok(Some("a.example/a"))),
        ("%REQ(host)%", Ok(Some("a.example"))),
        ("%REQ(X-A?X-B)%", Ok(Some("bee"))),
        ("%REQ(x-b):2%", Ok(Some("be"))),
        ("%REQ(x-b):9%", Ok(Some("bee"))),
        ("%REQ(x-a)%", Ok(None)),
        ("100 %%", Ok(Some("100 %"))),
        ("%PROTOCOL%", Err(())),
        ("%REQ()%", Err(())),
        ("%REQ(a", Err(())),
        ("50 %", Err(())),
        ("a\nb", Err(())),
    ] {
        let document = serde_json::to_vec(text).unwrap_or_default();
        let format = read_document(&document, |at| Format::parse(&at, at.string()?));
        let value = format.map_err(drop).map(|format| format.value(&Headers::new(&block)));
        let expected = expected.map(|value: Option<&str>| value.map(|text| text.as_bytes().to_vec()));
        rows.check(text, value, expected);
    }
}
