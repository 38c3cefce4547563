use super::Kustomizations;
use crate::input::Source;
use weir_testing::Rows;

#[test]
fn objects_get_the_namespace_that_kustomize_gives_them() {
    let files = [
        ("app/kustomization.yaml", "namespace: shop\nresources: [base, deployment.yaml]\n"),
        ("app/base/kustomization.yml", "namespace: base\nresources: [policy.yaml]\n"),
        ("app/other/Kustomization", "namespace: other\n"),
        ("app/silent/kustomization.yaml", "resources: [policy.yaml]\n"),
        ("overlay/kustomization.yaml", "namespace: prod\nresources: [../app/base]\n"),
        ("./kustomization.yaml", "resources: [./app]\n"),
    ];
    let sources: Vec<Source> = files.iter().map(|(name, text)| Source::new(name, (*text).to_owned())).collect();
    let found = Kustomizations::of(&sources);
    let mut rows = Rows::default();
    for (file, expected) in [
        ("app/deployment.yaml", Some("shop")),
        ("app/deep/er/policy.yaml", Some("shop")),
        ("./app/policy.yaml", Some("shop")),
        // Built by the outer one, whose namespace is set last.
        ("app/base/policy.yaml", Some("shop")),
        // Not built by it.
        ("app/other/policy.yaml", Some("other")),
        ("app/silent/policy.yaml", None),
        ("overlay/policy.yaml", Some("prod")),
        ("elsewhere/policy.yaml", None),
        ("stdin", None),
    ] {
        rows.check(file, found.namespace(file), expected);
    }
}

#[test]
fn what_else_a_kustomization_changes_is_said() {
    let mut rows = Rows::default();
    for (text, expected) in [
        ("namespace: shop\nresources: [a.yaml]\nimages: []\nconfigMapGenerator: []\n", ""),
        ("namePrefix: x-\n", "objects are read without `namePrefix`: run `kustomize build` first, and give its output"),
        ("patches: [{path: a.yaml}]\nnameSuffix: -x\n", "without `nameSuffix`, `patches`"),
        ("patches: []\nlabels:\nvars: {}\nnamePrefix: ''\n", ""),
        ("commonLabels: {a: b}\n", "without `commonLabels`"),
    ] {
        let sources = [Source::new("k/kustomization.yaml", text.to_owned())];
        let note = Kustomizations::of(&sources).note("k/kustomization.yaml");
        rows.check(text, note.is_some(), !expected.is_empty());
        rows.contains(text, &note.map(|note| note.message).unwrap_or_default(), expected);
    }
}

#[test]
fn a_base_without_a_namespace_is_built_from_its_overlay() {
    let files = [
        ("ov/base/kustomization.yaml", "resources: [policy.yaml]\n"),
        ("ov/overlays/prod/kustomization.yaml", "namespace: shop\nresources: [../../base]\n"),
        ("ov/overlays/silent/kustomization.yaml", "resources: [../../other, ../../base]\n"),
    ];
    let sources: Vec<Source> = files.iter().map(|(name, text)| Source::new(name, (*text).to_owned())).collect();
    let found = Kustomizations::of(&sources);
    let prod = "`ov/overlays/prod/kustomization.yaml` gives it `shop`: run `kustomize build ov/overlays/prod`, and give its output";
    let mut rows = Rows::default();
    for (file, expected) in [
        ("ov/base/policy.yaml", Some(prod)),
        ("ov/base/deep/policy.yaml", Some(prod)),
        ("ov/other/policy.yaml", None),
        ("stdin", None),
    ] {
        rows.check(file, found.overlay(file).as_deref(), expected);
    }
}
