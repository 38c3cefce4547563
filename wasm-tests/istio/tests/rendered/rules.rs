//! Ten thousand rules in one manifest: compressed, delivered, read by the module, and each still decides.

use std::fmt::Write;

use serde_json::Value;
use weir_test_istio::Client;
use weir_testing::Rows;

use crate::contexts::{CONTEXTS, Outcome, image, line, request, start, status};

const RULES: usize = 10_000;
/// Bytes that an object may have before its policies are compressed, and those that an API server takes.
const PLAIN: usize = 200_000;
const MOST: usize = 1_000_000;

/// One policy with so many rules, each for a path of its own.
fn policy() -> String {
    let mut text = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
                    metadata: {name: items, namespace: shop}\n\
                    spec:\n  selector: {matchLabels: {app: cart}}\n  rules:\n"
        .to_owned();
    for number in 0..RULES {
        writeln!(text, "  - to: [{{operation: {{methods: [GET], paths: [/items/{number}]}}}}]").unwrap();
    }
    text
}

#[test]
fn ten_thousand_rules_arrive() -> Outcome {
    let mut rows = Rows::default();
    let context = &CONTEXTS[0];
    let mut files = context.files();
    files[0].1 = policy();
    let image = image();
    let mut forms = vec!["envoyfilter", "wasmplugin"];
    if line().has_traffic_extension() {
        forms.push("trafficextension");
    }
    for form in forms {
        let rendered = weir_test_istio::render(&files, &context.arguments(form, &["--image", &image]))?;
        let object: &Value = &rendered.trees[0];
        let text = object.to_string();
        println!(
            "{form}: {RULES} rules of {} bytes, as an object {} bytes, as a file {} bytes",
            files[0].1.len(),
            text.len(),
            rendered.bytes
        );
        rows.check(form, files[0].1.len() > PLAIN, true);
        rows.check(form, (text.len() < MOST, text.contains("\"policiesGzip\"")), (true, true));
        rows.check(form, text.contains("/items/"), false);
        rows.contains(form, &rendered.notes, "its policies are compressed as `policiesGzip`");
        let running = start((context.proxy)()?, &rendered.trees)?;
        for (path, expected) in
            [("/items/0", 200), ("/items/5000", 200), ("/items/9999", 200), ("/items/10000", 403), ("/items", 403)]
        {
            let found = status(&running, &Client::PLAIN, &request("GET", path, None))?;
            rows.check(format!("{form}: {path}"), found, expected);
        }
    }
    Ok(())
}
