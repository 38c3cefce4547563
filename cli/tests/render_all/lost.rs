//! A DENY policy that kubectl applies and istiod gives to the pod is in the manifest, or the command fails: none is lost in
//! silence.

use crate::{text, weir};
use std::fs;
use std::path::Path;
use weir_testing::Rows;

/// What is asked of `weir render`, before the rest of a row.
const RENDER: &str = "render envoyfilter --module policy --workload shop/cart --proxy sidecar --image \
    oci://r.example.com/weir/policy@sha256:0f4c1f5d3a7f4d8c9f1b2f0f6a1f3f0d5a0e6b7c8d9e0f1a2b3c4d5e6f708192";

const ALLOW: &str = "
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allow, namespace: shop}
spec: {rules: [{}]}
";

/// Metadata and spec of the policy that must not get lost: for all pods of the namespace.
const ALL: &str = "metadata: {name: deny, namespace: shop}\nspec: {action: DENY, rules: [{}]}\n";

/// The same, as an item of a list.
const ITEM: &str = "[{metadata: {name: deny, namespace: shop}, spec: {action: DENY, rules: [{}]}}]";

/// The policy, for the pods with a label.
fn deny(label: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: deny, namespace: shop}}\n\
         spec: {{action: DENY, selector: {{matchLabels: {{{label}}}}}, rules: [{{}}]}}\n"
    )
}

/// An object with a pod template.
fn pods(api: &str, kind: &str, metadata: &str, labels: &str) -> String {
    format!(
        "---\napiVersion: {api}\nkind: {kind}\nmetadata: {{{metadata}}}\n\
         spec: {{template: {{metadata: {{labels: {{{labels}}}}}}}}}\n"
    )
}

fn cart(labels: &str) -> String {
    pods("apps/v1", "Deployment", "name: cart, namespace: shop", labels)
}

fn write(folder: &Path, files: &[(&str, String)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// What becomes of the policy.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Kept,
    /// `weir render` refuses the files with these words.
    Refused(&'static str),
    /// So does `weir validate`.
    Invalid(&'static str),
}

use Fate::{Invalid, Kept, Refused};

/// A name, the options and the files of a folder, and what becomes of the policy in them.
type Row = (&'static str, &'static str, Vec<(&'static str, String)>, Fate);

const BY_APP: &str = "--selector app=cart";

fn one(name: &'static str, text: String, fate: Fate) -> Row {
    (name, BY_APP, vec![("a.yaml", text)], fate)
}

/// Keys of an object that stand twice. Of two kubectl takes the last (`yaml.v2`), where `<<` is one of them too.
fn keys() -> Vec<Row> {
    let api = "apiVersion: security.istio.io/v1\n";
    let object = "base: &base {kind: AuthorizationPolicy}\n";
    let json = r#"{"kind": "ConfigMap", "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": "deny", "namespace": "shop"}, "spec": {"action": "DENY", "rules": [{}]}}"#;
    let item = "apiVersion: v1\nkind: List\nitems:\n- kind: ConfigMap\n  apiVersion: security.istio.io/v1\n  \
        kind: AuthorizationPolicy\n  metadata: {name: deny, namespace: shop}\n  spec: {action: DENY, rules: [{}]}\n";
    let labels = "app: cart, tier: web}, labels: {app: cart, tier: back";
    vec![
        one(
            "kind",
            format!("kind: ConfigMap\n{api}kind: AuthorizationPolicy\n{ALL}"),
            Invalid("key `kind` is given twice"),
        ),
        one(
            "apiVersion",
            format!("apiVersion: v1\n{api}kind: AuthorizationPolicy\n{ALL}"),
            Invalid("key `apiVersion` is given twice"),
        ),
        one(
            "items",
            format!("{api}kind: AuthorizationPolicyList\nitems: []\nitems: {ITEM}\n"),
            Invalid("key `items` is given twice"),
        ),
        one("in an item", item.to_owned(), Invalid("key `kind` is given twice")),
        one("in JSON", json.to_owned(), Invalid("key `kind` is given twice")),
        one(
            "a merge behind the key",
            format!("{object}kind: ConfigMap\n{api}<<: *base\n{ALL}"),
            Invalid("key `kind` stands before `<<`, which has it too"),
        ),
        one(
            "two merges",
            format!("{object}other: &other {{kind: ConfigMap}}\n{api}<<: *other\n<<: *base\n{ALL}"),
            Invalid("key `<<` is given twice"),
        ),
        one("labels of the pods", deny("tier: back") + &cart(labels), Refused("key `labels` is given twice")),
    ]
}

/// Lists, as `UnstructuredJSONScheme` of apimachinery takes them: what has `items`, whose own kind tells that of items without.
fn lists() -> Vec<Row> {
    let api = "apiVersion: security.istio.io/v1\n";
    let full = ITEM.replace("[{m", "[{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, m");
    vec![
        one("items without a kind", format!("{api}kind: AuthorizationPolicyList\nitems: {ITEM}\n"), Kept),
        one("a list of any kind", format!("apiVersion: v1\nkind: Bundle\nitems: {full}\n"), Kept),
        one("a list of its items' kind", format!("{api}kind: AuthorizationPolicy\nitems: {ITEM}\n"), Kept),
        one("a list in a list", format!("apiVersion: v1\nkind: Bundle\nitems: [{{kind: Any, items: {full}}}]\n"), Kept),
    ]
}

/// Objects that are called after the workload, or whose pods are selected, and do not have the labels of its pods.
fn templates() -> Vec<Row> {
    let (web, back) = ("app: cart, tier: web", "app: cart, tier: back");
    let named = "name: cart, namespace: shop";
    let files = |object: String| vec![("a.yaml", object), ("b.yaml", cart(back)), ("c.yaml", deny("tier: back"))];
    let row = |name, object: String| (name, BY_APP, files(object), Kept);
    let knative = pods("serving.knative.dev/v1", "Service", named, web);
    vec![
        row("a SealedSecret", pods("bitnami.com/v1alpha1", "SealedSecret", named, web)),
        row("a Job", pods("batch/v1", "Job", named, web)),
        row("another overlay's", pods("apps/v1", "Deployment", "name: cart", web)),
        row("a patch", pods("apps/v1", "Deployment", named, "version: canary")),
        (
            "a patch with the label",
            BY_APP,
            vec![
                ("a.yaml", cart(web)),
                ("b.yaml", pods("apps/v1", "Deployment", named, "version: canary")),
                ("c.yaml", deny("version: canary")),
            ],
            Kept,
        ),
        (
            "another of the selector",
            BY_APP,
            vec![
                ("a.yaml", cart(web)),
                ("b.yaml", pods("apps/v1", "Deployment", "name: cart-canary, namespace: shop", back)),
                ("c.yaml", deny("tier: back")),
            ],
            Kept,
        ),
        ("Knative's", BY_APP, vec![("a.yaml", knative), ("c.yaml", deny("serving.knative.dev/service: cart"))], Kept),
    ]
}

/// What Kustomize changes, and Weir reads unchanged.
fn kustomizations() -> Vec<Row> {
    let row = |name, text: &str, policy: String, fate| {
        let text = format!("resources: [a.yaml, b.yaml]\n{text}\n");
        (name, BY_APP, vec![("kustomization.yaml", text), ("a.yaml", policy), ("b.yaml", cart("app: cart"))], fate)
    };
    let back = || deny("tier: back");
    let base = || deny("app: cart").replace("namespace: shop", "namespace: base");
    let list = || format!("apiVersion: v1\nkind: List\nitems:\n- {}", base().trim_end().replace('\n', "\n  "));
    vec![
        row("labels", "labels: [{pairs: {tier: back}, includeTemplates: true}]", back(), Kept),
        row("commonLabels", "commonLabels: {tier: back}", back(), Kept),
        row("a patch in a file", "patches: [{path: p.yaml}]", back(), Kept),
        row("a patch of labels", "patches:\n- patch: |-\n    a:\n      labels: {tier: back}\n", back(), Kept),
        row(
            "a patch of policies",
            "patches: [{path: p.yaml, target: {kind: AuthorizationPolicy}}]",
            back(),
            Refused("this changes AuthorizationPolicies: run `kustomize build` first"),
        ),
        row("namespace", "namespace: shop", base(), Refused("`kustomize build` puts this into `shop`: run it first")),
        row("namespace of a list", "namespace: shop", list(), Refused("`kustomize build` puts this into `shop`")),
    ]
}

/// Templates, and texts whose lines end elsewhere for `yaml.v2` than for YAML 1.2.
fn texts() -> Vec<Row> {
    let object = deny("app: cart");
    let hidden = |with: &str| format!("# note{with}{}", object.trim_end().replace('\n', with));
    let json = "{\"kind\": \"AuthorizationPolicy\", \"apiVersion\": \"security.istio.io/v1\", \"metadata\": {\"namespace\": \"shop\", \
        \"name\": \"deny\", \"annotations\": {\"a\": \"\u{2028}\"}}, \"spec\": {\"action\": \"DENY\", \"rules\": [{}]}}";
    let template = "a template, which is not YAML until it is rendered";
    let kind = |text: &str| object.replace("kind: AuthorizationPolicy", text);
    vec![
        one("a kind of Helm's", kind("kind: {{ .Values.kind }}"), Invalid(template)),
        one("a kind in quotes", kind("kind: \"{{ .Values.kind }}\""), Invalid(template)),
        one("an API in quotes", object.replace("security.istio.io/v1", "\"{{ .Values.api }}\""), Invalid(template)),
        one("a label in quotes", object.replace("app: cart", "app: \"{{ .Values.app }}\""), Invalid(template)),
        one("NEL", hidden("\u{85}"), Invalid("U+0085 is a line break for kubectl and none for YAML 1.2")),
        one("LS", hidden("\u{2028}"), Invalid("U+2028 is a line break for kubectl")),
        one("PS", hidden("\u{2029}"), Invalid("U+2029 is a line break for kubectl")),
        one("CR", hidden("\r"), Kept),
        one("LS escaped", object.replace("{name: deny", "{annotations: {a: \"\\u2028\"}, name: deny"), Kept),
        one("LS in JSON", json.to_owned(), Kept),
        one("NUL", format!("a: b\n\0---\n{object}"), Invalid("U+0000 ends the text for YAML, and kubectl refuses it")),
    ]
}

/// Labels that are given, to which Istio adds its own.
fn given() -> Vec<Row> {
    let canonical = || vec![("a.yaml", deny("service.istio.io/canonical-name: cart"))];
    vec![
        ("labels are given", "--selector app=cart --labels app=cart,version=v1", canonical(), Kept),
        (
            "all are given",
            "--selector app=cart --labels app=cart,service.istio.io/canonical-name=cart",
            canonical(),
            Kept,
        ),
    ]
}

#[test]
fn no_policy_is_lost_in_silence() {
    let mut rows = Rows::default();
    for (name, options, mut files, fate) in
        [keys(), lists(), templates(), kustomizations(), texts(), given()].into_iter().flatten()
    {
        let folder = tempfile::tempdir().unwrap();
        files.push(("z.yaml", ALLOW.to_owned()));
        write(&folder.path().join("app"), &files);
        let run = |command: String| weir(folder.path(), "", &command.split_whitespace().collect::<Vec<_>>());
        let rendered = run(format!("{RENDER} {options} --config app"));
        let all = text(&rendered);
        let validated = run("validate app".to_owned());
        match fate {
            Kept => {
                let has = String::from_utf8_lossy(&rendered.stdout).contains("name: deny");
                rows.check(format!("{name}: {all}"), (rendered.status.code(), has), (Some(0), true));
                rows.check(format!("{name}, validated: {}", text(&validated)), validated.status.code(), Some(0));
            }
            Refused(words) | Invalid(words) => {
                rows.check(format!("{name}: {all}"), rendered.status.code(), Some(1));
                rows.contains(name, &all, words);
            }
        }
        if let Invalid(words) = fate {
            rows.check(format!("{name}, validated: {}", text(&validated)), validated.status.code(), Some(1));
            rows.contains(format!("{name}, validated"), &text(&validated), words);
        }
    }
}

/// What another workload is rendered from changes nothing in the manifest of the first.
#[test]
fn workloads_do_not_change_each_others_manifests() {
    let mut rows = Rows::default();
    for (name, own, other, more) in [
        ("a file of its folder", "[app]", "[app/deploy.yaml]", ""),
        ("its folder", "[app/*.yaml]", "[app]", ""),
        ("a Kustomization", "[app/deploy.yaml, app/deny.yaml, app/allow.yaml]", "[app]", "namespace: base\n"),
        ("by a longer way", "[app]", "[app/../app/deploy.yaml]", ""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let deny = deny("tier: back").replace(", namespace: shop", "");
        write(
            folder.path(),
            &[
                ("app/deploy.yaml", cart("app: cart, tier: back").replace(", namespace: shop", "")),
                ("app/deny.yaml", deny),
                ("app/allow.yaml", ALLOW.to_owned()),
                ("two.yaml", "schema: 1\nname: web\ntelemetry: {}\n".to_owned()),
            ],
        );
        if !more.is_empty() {
            write(folder.path(), &[("app/kustomization.yaml", more.to_owned())]);
        }
        let rendered = |workloads: &str| {
            let head = "schema: 1\nform: envoy\nmoduleFiles: {suite: /opt/suite.wasm}\nworkloads:\n";
            let first = format!("- {{namespace: shop, name: cart, policies: {own}}}\n");
            write(folder.path(), &[("weir.yaml", format!("{head}{first}{workloads}"))]);
            let output = weir(folder.path(), "", &["render", "--all", "out", "--config", "weir.yaml"]);
            let manifest = fs::read_to_string(folder.path().join("out/shop/cart.yaml")).unwrap_or_default();
            (output.status.code(), text(&output), manifest)
        };
        let (_, said, alone) = rendered("");
        rows.check(format!("{name}: {said}"), alone.contains("name: deny"), true);
        let web = format!("- {{namespace: shop, name: web, policies: {other}, documents: [two.yaml]}}\n");
        let (code, said, both) = rendered(&web);
        rows.check(format!("{name}: {said}"), (code, both == alone), (Some(0), true));
    }
    for lists in
        ["policies: [app, app/b.yaml]", "policies: [app/b.yaml, app]", "policies: [app], documents: [app/b.yaml]"]
    {
        let folder = tempfile::tempdir().unwrap();
        let head = "schema: 1\nform: envoy\nmoduleFiles: {suite: /opt/suite.wasm}\nworkloads:\n";
        let composition = format!("{head}- {{namespace: shop, name: cart, {lists}}}\n");
        write(folder.path(), &[("app/b.yaml", ALLOW.to_owned()), ("weir.yaml", composition)]);
        let output = weir(folder.path(), "", &["render", "--all", "out", "--config", "weir.yaml"]);
        rows.check(format!("{lists}: {}", text(&output)), output.status.code(), Some(0));
    }
}

/// Sections that leave the policies out are said, and no number of policies that are kept.
#[test]
fn sections_without_policies_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let composition = "schema: 1\nform: envoy\nmoduleFiles: {suite: /opt/suite.wasm}\npolicies: [a.yaml]\n\
        workloads: [{namespace: shop, name: cart, sections: [rateLimit], limits: [l.yaml]}]\n";
    let limits = "schema: 1\nname: cart\nrateLimit:\n  rate_limits: [{actions: [{remote_address: {}}]}]\n  local: {config: \
        {domain: d, descriptors: [{key: remote_address, rate_limit: {unit: second, requests_per_unit: 5}}]}}\n";
    let files = [("weir.yaml", composition), ("a.yaml", ALLOW), ("l.yaml", limits)];
    write(folder.path(), &files.map(|(name, text)| (name, text.to_owned())));
    let output = weir(folder.path(), "", &["render", "--all", "out", "--config", "weir.yaml"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("policies are left out: `policy` runs on none of the listeners"), "{said}");
    assert!(!said.contains("AuthorizationPolicies are for shop/cart"), "{said}");
}

/// `weir run` and `weir diff --policies` see what `weir render` sees.
#[test]
fn other_commands_lose_no_policy_either() {
    let folder = tempfile::tempdir().unwrap();
    let run = |command: String| weir(folder.path(), "", &command.split_whitespace().collect::<Vec<_>>());
    let list = format!("apiVersion: security.istio.io/v1\nkind: AuthorizationPolicyList\nitems: {ITEM}\n");
    write(
        folder.path(),
        &[
            ("pods/a.yaml", cart("app: cart, tier: web")),
            ("pods/b.yaml", pods("apps/v1", "Deployment", "name: cart", "version: canary")),
            ("pods/c.yaml", deny("tier: web")),
            ("pods/q.yaml", "[{say: a, method: GET, path: /}]\n".to_owned()),
            ("live/allow.yaml", ALLOW.to_owned()),
        ],
    );
    let mut rows = Rows::default();
    for (command, words) in [
        (
            "run pods --workload shop/cart --requests pods/q.yaml --exit",
            "the labels of shop/cart are not known: Deployment",
        ),
        (
            "render envoy --module policy --workload shop/cart --proxy sidecar --module-file /policy.wasm --config pods",
            "the labels of shop/cart are not known: Deployment shop/cart at pods/a.yaml",
        ),
    ] {
        let output = run(command.to_owned());
        rows.check(format!("{command}: {}", text(&output)), output.status.code(), Some(1));
        rows.contains(command, &text(&output), words);
    }
    let rendered = run(format!("{RENDER} {BY_APP} --config live"));
    write(
        folder.path(),
        &[("live/list.yaml", list), ("live/filter.yaml", String::from_utf8_lossy(&rendered.stdout).into_owned())],
    );
    let compared = run("diff --policies --deployed live".to_owned());
    rows.check(text(&compared), compared.status.code(), Some(1));
    let expected = "AuthorizationPolicy shop/deny is in the cluster, and not in the document";
    rows.contains("diff --policies", &text(&compared), expected);
    assert!(rendered.status.success(), "{}", text(&rendered));
}
