use super::{Entry, read};
use crate::compile::Module;
use crate::render::form::Form;
use crate::render::schema::structural;
use crate::render::workload::{Direction, Proxy};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use weir_config::Mode;
use weir_testing::Rows;

const SCHEMA: &str = include_str!("../../../schemas/weir.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn entries(text: &str) -> Result<Vec<Entry>, String> {
    read(&crate::input::one(text).unwrap()).map_err(|problems| {
        problems.0.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect::<Vec<_>>().join("\n")
    })
}

const WHOLE: &str = "
schema: 1
mesh: {rootNamespace: mesh, trustDomain: example.org, trustDomainAliases: [old.example.org]}
form: wasmplugin
istio: '1.30'
images: {suite: 'oci://r/suite@sha256:1', policy: 'oci://r/policy@sha256:2'}
pullSecret: registry
policies: [policies/*.yaml]
mode: shadow
modes: {policy: shadow, rateLimit: enforce}
workloads:
- namespace: shop
  name: cart
  labels: {app: cart, version: v1}
  selector: {app: cart}
  limits: [limits/cart.yaml]
  outbound: [telemetry]
  modes: {policy: enforce}
- namespace: edge
  name: public
  proxy: gateway
  targetRef: Gateway/public
  modules: [policy, telemetry]
  mode: enforce
  form: envoyfilter
  priority: -5
- {namespace: shop, name: batch, sections: [telemetry], modules: [policy, telemetry]}
";

#[test]
fn what_is_said_for_all_holds_where_a_workload_says_nothing() {
    let entries = entries(WHOLE).unwrap();
    let names: Vec<_> = entries.iter().map(|entry| (entry.wanted.workload.as_str(), entry.wanted.module)).collect();
    assert_eq!(
        names,
        [
            ("shop/cart", Module::Suite),
            ("edge/public", Module::Policy),
            ("edge/public", Module::Telemetry),
            ("shop/batch", Module::Telemetry),
        ]
    );
    let [cart, policy, ..] = entries.as_slice() else { panic!("{names:?}") };
    let mut rows = Rows::default();
    let files: Vec<_> =
        cart.files.iter().map(|pattern| (pattern.text.as_str(), pattern.namespace.as_deref())).collect();
    rows.check("files", files, vec![("policies/*.yaml", None), ("limits/cart.yaml", Some("shop"))]);
    rows.check("directions", &cart.wanted.directions, &Some(vec![Direction::Inbound, Direction::Outbound]));
    rows.check("mode", (cart.wanted.mode, policy.wanted.mode), (Some(Mode::Shadow), Some(Mode::Enforce)));
    let modes = [(Module::RateLimit, Mode::Enforce), (Module::Policy, Mode::Enforce)];
    rows.check("modes", cart.wanted.sections.modes.as_slice(), modes.as_slice());
    rows.check("outbound", &cart.wanted.sections.outbound, &Some(vec![Module::Telemetry]));
    rows.check("labels", cart.wanted.labels.as_ref().map(|labels| labels.len()), Some(2));
    rows.check("selector", cart.wanted.selector.len(), 1);
    rows.check("mesh", &cart.wanted.mesh["trustDomain"], &json!("example.org"));
    rows.check("form", (cart.wanted.form, policy.wanted.form), (Form::WasmPlugin, Form::EnvoyFilter));
    rows.check("proxy", (cart.wanted.proxy, policy.wanted.proxy), (Proxy::Sidecar, Proxy::Gateway));
    rows.check("gateway", &policy.wanted.directions, &Some(vec![Direction::Outbound]));
    rows.check("priority", (cart.wanted.priority, policy.wanted.priority), (None, Some(-5)));
    rows.check("image", policy.wanted.image.as_deref(), Some("oci://r/policy@sha256:2"));
}

#[test]
fn a_mesh_of_several_forms_has_images_and_files() {
    let mut rows = Rows::default();
    for (name, workload, image, file) in [
        ("Envoy takes the file", "form: envoy", None, Some("/all.wasm")),
        ("Envoy Gateway takes the image", "form: envoy-gateway", Some("all"), None),
        ("another form has to choose", "form: wasmplugin", Some("all"), Some("/all.wasm")),
        ("an image of its own", "form: wasmplugin, images: {suite: own}", Some("own"), None),
        ("a file of its own", "form: envoyfilter, moduleFiles: {suite: /own.wasm}", None, Some("/own.wasm")),
        ("of another module", "form: envoy, moduleFiles: {policy: /own.wasm}", None, Some("/all.wasm")),
    ] {
        let text = format!(
            "schema: 1\nimages: {{suite: all}}\nmoduleFiles: {{suite: /all.wasm}}\n\
             workloads: [{{namespace: shop, name: cart, {workload}}}]"
        );
        let entries = entries(&text).unwrap();
        let found = entries.iter().map(|entry| (entry.wanted.image.as_deref(), entry.wanted.module_file.as_deref()));
        rows.check(name, found.collect::<Vec<_>>(), vec![(image, file)]);
    }
}

/// Objects without a namespace are in the one of the workload, in a file that a workload has for itself; in a file for all, in
/// that of the file, else in the only one that the workloads have.
#[test]
fn a_default_of_the_namespace_is_that_of_the_file_or_the_workload() {
    let mut rows = Rows::default();
    for (name, whole, workloads, expected) in [
        (
            "one namespace",
            "",
            "[{namespace: a, name: x1}, {namespace: a, name: y1}]",
            [("a/x1", Some("a")), ("a/y1", Some("a"))],
        ),
        ("several", "", "[{namespace: a, name: x1}, {namespace: b, name: y1}]", [("a/x1", None), ("b/y1", None)]),
        (
            "of the file",
            "namespace: c",
            "[{name: x1}, {namespace: b, name: y1}]",
            [("c/x1", Some("c")), ("b/y1", Some("c"))],
        ),
    ] {
        let text = format!("schema: 1\nform: envoy\npolicies: [all.yaml]\n{whole}\nworkloads: {workloads}\n");
        let text = text.replace("}", ", policies: [own.yaml]}");
        for (entry, (id, common)) in entries(&text).unwrap().iter().zip(expected) {
            let own = id.split('/').next();
            let found: Vec<_> = entry.files.iter().map(|pattern| pattern.namespace.as_deref()).collect();
            rows.check(name, (entry.wanted.workload.as_str(), found), (id, vec![common, own]));
        }
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let workload = "workloads: [{namespace: shop, name: cart}]";
    let mut rows = Rows::default();
    for (text, expected) in [
        ("workloads: []".to_owned(), "$: `schema` is missing"),
        ("schema: 1".to_owned(), "$: `workloads` is missing"),
        (format!("schema: 1\n{workload}"), "$.workloads[0]: `form` is missing, here and beside `workloads`"),
        (
            format!("schema: 1\nform: wasmplugin\nworkload: []\n{workload}"),
            "$.workload: unknown field; did you mean `workloads`?",
        ),
        (format!("schema: 1\nform: wasmplugins\n{workload}"), "$.form: `wasmplugins` is not one of `envoy`"),
        (format!("schema: 1\nform: envoy\nistio: 1.30\n{workload}"), "$.istio: expected a string"),
        (format!("schema: 1\nform: envoy\nmodes: {{limits: off}}\n{workload}"), "$.modes.limits: unknown field"),
        (
            format!("schema: 1\nform: envoy\npriority: 3000000000\n{workload}"),
            "$.priority: expected a whole number of 32 bits",
        ),
        ("schema: 1\nform: envoy\nworkloads: [{name: cart}]".to_owned(), "$.workloads[0]: `namespace` is missing"),
        (
            "schema: 1\nform: envoy\nworkloads: [{name: a..b, namespace: a.b}]".to_owned(),
            "$.workloads[0].namespace: `a.b` is not a namespace",
        ),
        (
            "schema: 1\nform: envoy\nworkloads: [{name: a..b, namespace: a.b}]".to_owned(),
            "$.workloads[0].name: `a..b` is not a name",
        ),
        (
            "schema: 1\nform: envoy\nworkloads: [{name: a, namespace: a, labels: {app: a b}}]".to_owned(),
            "$.workloads[0].labels.app: `a b` is not a value of a label",
        ),
        (
            "schema: 1\nform: envoy\nworkloads: [{name: a, namespace: a, selector: {-app: a}}]".to_owned(),
            "`-app` is not a key of a label",
        ),
    ] {
        rows.contains(expected, &entries(&text).unwrap_err(), expected);
    }
}

#[test]
fn the_schema_takes_what_the_reader_takes() {
    let mut rows = Rows::default();
    for text in [
        WHOLE,
        "schema: 1\nworkloads: []",
        "schema: 1\nmode: off\nworkloads: []",
        "schema: 1\nform: envoy\nnamespace: shop\nworkloads: [{name: cart}]",
        "schema: 1\nmode: false\nworkloads: []",
    ] {
        let tree = crate::input::one(text).unwrap();
        rows.check(text, structural::check(&tree, &schema(), "$"), Vec::<String>::new());
        rows.check(text, read(&tree).is_ok(), true);
    }
    for text in [
        "schema: 2\nworkloads: []",
        "schema: 1",
        "schema: 1\nworkloads: [{name: a}]",
        "schema: 1\nform: x\nworkloads: []",
    ] {
        let tree = crate::input::one(text).unwrap();
        rows.check(text, structural::check(&tree, &schema(), "$").is_empty(), false);
        rows.check(text, read(&tree).is_err(), true);
    }
}

/// The names in the readers' own text: those that are taken out of the file and of a workload.
#[test]
fn the_schema_has_the_fields_of_the_reader_and_no_others() {
    let names = |text: &str, before: &[&str]| -> BTreeSet<String> {
        let parts = before.iter().flat_map(|before| text.split(before).skip(1));
        parts.filter_map(|part| part.split('"').next()).map(str::to_owned).collect()
    };
    let takes = [".take(\"", ".require(\"", "section_list(\""];
    let composition = include_str!("../composition.rs");
    let (whole, workload) = composition.split_once("/// The entries of one workload").unwrap();
    let whole = whole.split_once("/// What a proxy does not know").unwrap().0;
    let settings = names(include_str!("settings.rs"), &takes);
    let files: BTreeSet<String> = super::FILES.map(str::to_owned).into();
    let all = |own: &str| -> BTreeSet<String> {
        names(own, &takes).into_iter().chain(settings.clone()).chain(files.clone()).collect()
    };
    let schema = schema();
    let keys = |pointer: &str| -> BTreeSet<String> {
        schema.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys("/properties"), all(whole));
    assert_eq!(keys("/properties/workloads/items/properties"), all(workload));
    // What can be said in both places is described in both alike.
    for name in settings.iter().chain(&files) {
        let at = |place: &str| schema.pointer(&format!("{place}/properties/{name}")).cloned();
        assert_eq!(at(""), at("/properties/workloads/items"), "{name}");
    }
}
