use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn matches() {
    let cases: [(&str, &[u8], bool); 19] = [
        ("/foo/{*}", b"/foo/bar", true),
        ("/foo/{*}", b"/foo/", false),
        ("/foo/{*}", b"/foo/bar/", false),
        ("/foo/{*}", b"/foo/b\xffr", false),
        ("/foo/{*}", b"/foo/*", true),
        ("/foo/{*}/bar", b"/foo//bar", false),
        ("/{*}/foo/", b"/x/foo/", true),
        ("/{*}/foo/", b"/x/foo", false),
        ("/admin/{**}", b"/admin", false),
        ("/admin/{**}", b"/admin/", true),
        ("/admin/{**}", b"/admin/a//b", true),
        ("/admin/{**}", b"/admin/a b", false),
        ("/{**}/end", b"/end", false),
        ("/{**}/end", b"//end", true),
        ("/{**}/end", b"/a/b/end", true),
        ("/{**}/end", b"/a/b/end/", false),
        ("/a/{*}/{**}/z", b"/a/b/c/d/z", true),
        ("/{**}", b"", false),
        ("/{**}", b"*", false),
    ];
    let mut rows = Rows::default();
    for (template, path, expected) in cases {
        rows.check(
            format!("{template} on {}", path.escape_ascii()),
            Template::parse(template).unwrap().matches(path),
            expected,
        );
    }
}

#[test]
fn refuses() {
    let cases = [
        ("foo/{*}", TemplateError::NoSlash),
        ("/foo/{*}.txt", TemplateError::Brace),
        ("/{*}/{}", TemplateError::Brace),
        ("/{*}/a*", TemplateError::Star),
        ("/{**}/{*}", TemplateError::AfterRest),
        ("/{**}/{**}", TemplateError::AfterRest),
        ("/{*}/?a", TemplateError::Character),
        ("/a//{*}", TemplateError::Empty),
    ];
    let mut rows = Rows::default();
    for (template, expected) in cases {
        rows.check(template, Template::parse(template), Err(expected));
    }
}
