use super::{objects, only_workload};
use crate::render::Pods;
use crate::tree::Tree;
use serde_json::{Value, json};
use weir_testing::Rows;

fn policy(namespace: &str, labels: Value) -> Value {
    json!({"kind": "AuthorizationPolicy", "metadata": {"name": "a", "namespace": namespace}, "spec": {"selector": {"matchLabels": labels}}})
}

fn deployment(name: &str, labels: Value) -> Value {
    let metadata = json!({"name": name, "namespace": "shop"});
    json!({"kind": "Deployment", "metadata": metadata, "spec": {"template": {"metadata": {"labels": labels}}}})
}

#[test]
fn the_workload_is_the_one_that_all_policies_are_for() {
    let app = || policy("shop", json!({"app": "cart"}));
    let version = || policy("shop", json!({"app": "cart", "version": "v1"}));
    let cart = || deployment("basket", json!({"app": "cart", "version": "v1", "tier": "store"}));
    let stock = || deployment("stock", json!({"app": "stock"}));
    let own = "shop/basket app=cart tier=store version=v1";
    let mut rows = Rows::default();
    for (name, trees, expected) in [
        ("a selector", vec![app()], "shop/cart app=cart"),
        ("its Deployment", vec![app(), cart(), stock()], own),
        ("two selectors of it", vec![app(), version(), cart()], own),
        ("two selectors, without it", vec![app(), version()], "shop/cart app=cart version=v1"),
        ("of the whole namespace", vec![policy("shop", json!({})), cart()], own),
        ("of the whole namespace, with two", vec![policy("shop", json!({})), cart(), stock()], "shop/workload"),
        ("none in the files is it", vec![app(), stock()], "shop/cart app=cart"),
        ("another namespace's", vec![policy("edge", json!({"app": "cart"})), cart()], "edge/cart app=cart"),
        ("two versions", vec![app(), cart(), deployment("next", json!({"app": "cart"}))], "shop/cart app=cart"),
        ("two workloads", vec![app(), policy("shop", json!({"app": "stock"})), cart(), stock()], "several workloads"),
        ("two namespaces", vec![app(), policy("edge", json!({"app": "cart"})), cart()], "several workloads"),
    ] {
        let trees: Vec<Tree> = trees.into_iter().map(|tree| Tree::named("a.yaml", tree)).collect();
        let pods: Vec<Pods> = trees.iter().filter_map(|tree| Pods::of(tree, None)).collect();
        let found = only_workload(&objects(&trees), &pods, "default").map_or_else(
            |_| "several workloads".to_owned(),
            |(id, labels)| labels.iter().fold(id, |text, (key, value)| format!("{text} {key}={value}")),
        );
        rows.check(name, found, expected.to_owned());
    }
}
