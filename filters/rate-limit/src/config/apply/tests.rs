use super::read;
use crate::compiled::apply::{ApplyRules, Scratch};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::read_document;
use weir_matching::PathParameters;
use weir_model::{Headers, Node, PairsBuilder, Problems};
use weir_testing::Rows;

fn compile(to: &str, path_parameters: PathParameters) -> Result<ApplyRules, Problems> {
    let text = format!(r#"[{{"to":{to},"rate_limits":[{{"actions":[{{"remote_address":{{}}}}]}}]}}]"#);
    read_document(text.as_bytes(), |at| Some(ApplyRules::new(read(&at, &Node::default()), path_parameters)))
}

#[test]
fn operations_are_istios() {
    let get = ("GET", "Api.example.com", "/v1/a?x=/v2#f");
    let none = ("", "", "");
    let empty = ("-", "-", "/");
    let rows = [
        (r#"[{"operation":{"hosts":["api.example.com"]}}]"#, get, true),
        (r#"[{"operation":{"hosts":["*.EXAMPLE.com"]}}]"#, get, true),
        (r#"[{"operation":{"hosts":["api.example.com:*"]}}]"#, get, false),
        (r#"[{"operation":{"notHosts":["api.example.com"]}}]"#, get, false),
        (r#"[{"operation":{"notHosts":["other"]}}]"#, none, true),
        (r#"[{"operation":{"hosts":["*"]}}]"#, none, false),
        (r#"[{"operation":{"hosts":["*"],"methods":["*"]}}]"#, empty, true),
        (r#"[{"operation":{"hosts":["a"]}},{"operation":{"notHosts":["*"]}}]"#, empty, false),
        (r#"[{"operation":{"methods":["get"]}}]"#, get, false),
        (r#"[{"operation":{"methods":["POST"]}},{"operation":{"methods":["GET"]}}]"#, get, true),
        (r#"[{"operation":{"paths":["/v1/*"]}}]"#, get, true),
        (r#"[{"operation":{"paths":["/v1/a"]}}]"#, get, true),
        (r#"[{"operation":{"paths":["/v2*"]}}]"#, get, false),
        (r#"[{"operation":{"paths":["/{*}/a"]}}]"#, get, true),
        (r#"[{"operation":{"paths":["/{*}"]}}]"#, get, false),
        (r#"[{"operation":{"paths":["/v1/*"],"notPaths":["*/a"]}}]"#, get, false),
        (r#"[{"operation":{"paths":["/v1/*"],"methods":["POST"]}}]"#, get, false),
    ];
    let mut table = Rows::default();
    for (to, (method, host, path), expected) in rows {
        let apply = compile(to, PathParameters::Compared).unwrap_or_else(|problems| panic!("{to}: {problems}"));
        let mut pairs = PairsBuilder::default();
        for (name, value) in [(":method", method), (":authority", host), (":path", path)] {
            if !value.is_empty() {
                // `-` is an empty value.
                pairs.push(name.as_bytes(), value.trim_matches('-').as_bytes());
            }
        }
        let found = apply.first_match(&Headers::new(&pairs.finish()), &mut Scratch::default()).0;
        table.check(format!("{to} {method} {host} {path}"), found.is_some(), expected);
    }
}

#[test]
fn path_parameters_are_ignored_with_the_option() {
    let exact = r#"[{"operation":{"paths":["/admin/action"]}}]"#;
    let not = r#"[{"operation":{"notPaths":["/admin/*"]}}]"#;
    let template = r#"[{"operation":{"paths":["/{*}/action"]}}]"#;
    // The operation, the path, and whether it matches without and with the option.
    let rows = [
        (exact, "/admin/action", true, true),
        (exact, "/admin;x=y/action", false, true),
        (exact, "/admin/action;foo=bar?q", false, true),
        (exact, "/admin/action?q;x", true, true),
        (exact, "/admin/action2;a", false, false),
        (exact, "/admin;/action/", false, false),
        (not, "/admin;x/a", true, false),
        (template, "/a;b/action;c", false, true),
        (r#"[{"operation":{"methods":["GET"]}}]"#, "/;", true, true),
    ];
    let mut scratch = Scratch::default();
    let mut table = Rows::default();
    for (to, path, without, with) in rows {
        let pairs = PairsBuilder::default().push(b":method", b"GET").push(b":path", path.as_bytes()).finish();
        for (option, expected) in [(PathParameters::Compared, without), (PathParameters::LeftOut, with)] {
            let apply = compile(to, option).unwrap_or_else(|problems| panic!("{to}: {problems}"));
            let found = apply.first_match(&Headers::new(&pairs), &mut scratch).0.is_some();
            table.check(format!("{to} {path} {option:?}"), found, expected);
        }
    }
}

#[test]
fn where_the_compared_path_is_unclear_the_limits_of_both_count() {
    let [deep, shallow] = ["/login/x", "/login"].map(|path| format!(r#"{{"operation":{{"paths":["{path}"]}}}}"#));
    let list = |first: &str, second: &str| {
        let apply = [first, second].map(|to| compile(&format!("[{to}]"), PathParameters::Unclear).unwrap().list);
        ApplyRules::new(apply.concat(), PathParameters::Unclear)
    };
    let mut scratch = Scratch::default();
    let mut count = |apply: &ApplyRules, path: &str| {
        let pairs = PairsBuilder::default().push(b":path", path.as_bytes()).finish();
        let (one, other) = apply.first_match(&Headers::new(&pairs), &mut scratch);
        usize::from(one.is_some()) + usize::from(other.is_some())
    };
    let (both, one) = (list(&deep, &shallow), list(&shallow, &shallow));
    let rows = [("/login;/x", 2, 1), ("/login", 1, 1), ("/login;a", 1, 1), ("/login/x;a", 1, 0), ("/x;/login", 0, 0)];
    let mut table = Rows::default();
    for (path, of_both, of_one) in rows {
        table.check(path, (count(&both, path), count(&one, path)), (of_both, of_one));
    }
}

#[test]
fn empty_and_unsupported_operations_are_refused() {
    let rows = [
        (r#"[]"#, "$[0].to: an empty list is not an operation"),
        (r#"[{}]"#, "$[0].to[0]: `operation` is missing"),
        (r#"[{"operation":{}}]"#, "an operation must say something"),
        (r#"[{"operation":{"hosts":[]}}]"#, "$[0].to[0].operation.hosts: must not be empty"),
        (r#"[{"operation":{"ports":["80"]}}]"#, "ports are not supported"),
        (r#"[{"operation":{"paths":["/{*}x"]}}]"#, "$[0].to[0].operation.paths[0]"),
        (r#"[{"operation":{"paths":["/a", "/{id}"]}}]"#, "$[0].to[0].operation.paths[1]: of templates only"),
        (r#"[{"operation":{"notPaths":["/a}b"]}}]"#, "$[0].to[0].operation.notPaths[0]: of templates only"),
        (r#"[{"operation":{"path":["/x"]}}]"#, "did you mean `paths`?"),
    ];
    let mut table = Rows::default();
    for (to, expected) in rows {
        let problems = compile(to, PathParameters::Compared).unwrap_err().to_string();
        table.contains(to, &problems, expected);
        // One mistake is one problem.
        table.check(to, problems.lines().count(), 1);
    }
}
