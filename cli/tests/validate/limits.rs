//! Limits, and what they count, in files of their own.

use super::{has_lines, here};
use weir_testing::Rows;

/// Files that `weir render` puts into one document, and what is said of them: each line's place, path and beginning.
#[test]
fn limits_and_what_they_count_are_read_as_render_reads_them() {
    let limits = "domain: shop\ndescriptors:\n- {key: remote_address, rate_limit: {unit: day, requests_per_unit: 1}}\n";
    let actions = "rate_limits:\n- actions: [{remote_address: {}}]\n";
    let both = |limits: &str, actions: &str| format!("{limits}---\n{actions}");
    let map = |text: &str| {
        let text = text.replace('\n', "\n    ");
        format!("kind: ConfigMap\nmetadata: {{name: a, namespace: b}}\ndata:\n  c.yaml: |\n    {text}\n")
    };
    let document = "schema: 1\nname: a\nrate_limits:\n- actions: [{remote_address: {}}]\n";
    let [key, unit] = [limits.replace("key:", "kye:"), limits.replace("day", "days")];
    let (spare, value) =
        ("[{generic_key: {descriptor_value: a}}]", "- {key: generic_key, value: a, rate_limit: {unlimited: true}}\n");
    let mut rows = Rows::default();
    for (name, input, code, lines) in [
        ("both", both(limits, actions), 0, vec![]),
        ("limits alone", limits.to_owned(), 0, vec![]),
        ("actions alone", actions.to_owned(), 0, vec![]),
        (
            "a key",
            key,
            1,
            vec!["3:3: error: $.descriptors[0]: `key` is missing", "3:4: error: $.descriptors[0].kye: unknown field"],
        ),
        (
            "a unit",
            unit.clone(),
            1,
            vec!["3:38: error: $.descriptors[0].rate_limit.unit: invalid rate limit unit `days`"],
        ),
        ("no domain", limits.replace("domain: shop\n", ""), 1, vec!["1:1: error: $: `domain` is missing"]),
        (
            "an action",
            actions.replace("_address", "_addres"),
            1,
            vec![
                "2:14: error: $.rate_limits[0].actions[0].remote_addres: unknown field; did you mean `remote_address`?",
            ],
        ),
        (
            "a field beside actions",
            format!("{actions}aply: []\n"),
            1,
            vec!["3:1: error: $.aply: unknown field; did you mean `apply`?"],
        ),
        (
            "apply",
            "apply:\n- {rate_limits: [{actions: [{remote_address: {}}]}], to: []}\n".to_owned(),
            1,
            vec!["2:54: error: $.apply[0].to: an empty list is not an operation"],
        ),
        (
            "a ConfigMap",
            map(limits),
            0,
            vec!["4:3: note: ConfigMap b/a: $.data[\"c.yaml\"]: `weir render` and `weir run` read no"],
        ),
        (
            "a unit in a ConfigMap",
            map(&unit),
            1,
            vec![
                "4:3: note: ",
                "7:42: error: ConfigMap b/a: $.data[\"c.yaml\"].descriptors[0].rate_limit.unit: invalid",
            ],
        ),
        (
            "a key twice in a ConfigMap",
            map(&format!("{limits}domain: b")),
            1,
            vec!["4:3: error: ConfigMap b/a: $.data[\"c.yaml\"]: line 4, column 1: key `domain` is given twice"],
        ),
        (
            "another action",
            both(limits, &actions.replace("[{remote_address: {}}]", spare)),
            0,
            vec![
                "3:3: warning: $.descriptors[0]: no request is counted by this limit",
                "6:3: warning: $.rate_limits[0]: no limit is for the descriptor (generic_key=a): it counts nothing",
            ],
        ),
        (
            "another limit",
            both(&format!("{limits}{value}"), actions),
            0,
            vec!["4:3: warning: $.descriptors[1]: no request"],
        ),
        (
            "a limit in either file",
            format!("{}---\ndomain: b\ndescriptors:\n{value}", both(limits, actions)),
            0,
            vec!["10:3: warning: $.descriptors[0]: no request"],
        ),
        ("a mistake first", both(&unit, &actions.replace("[{remote_address: {}}]", spare)), 1, vec!["3:38: error: "]),
        ("a document that counts, and its limits", both(limits, document), 0, vec![]),
        ("a document without its limits", document.to_owned(), 1, vec!["1:1: error: $: `local` is missing"]),
        (
            "a document with limits, and what counts",
            both(
                &limits
                    .replace('\n', "\n    ")
                    .replacen("domain", "schema: 1\nname: a\nlocal:\n  config:\n    domain", 1)
                    .trim_end()
                    .to_owned()
                    .replace("}}", "}}\n"),
                actions,
            ),
            0,
            vec![],
        ),
    ] {
        let (found, output) = here(&["-"], &input);
        rows.check(name, found, code);
        rows.check(format!("{name}: {output}"), has_lines(&output, &lines), true);
    }
    let (_, output) = here(&["-"], &both(limits, actions));
    rows.check(
        "summary",
        output.as_str(),
        "1 file: 1 envoyproxy/ratelimit configuration, 1 set of rate limit actions: no errors\n",
    );
    let (code, _) = here(&["--require", "-"], limits);
    rows.check("they are something of Weir's", code, 0);
}
