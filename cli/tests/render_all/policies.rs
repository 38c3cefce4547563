//! `weir diff --policies`: the policies of a cluster, compared with those of the documents that are deployed in it.

use crate::{FILES, live, rendered, text, weir};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use weir_testing::Rows;

/// The policies of the files, as the cluster has them.
fn native() -> Vec<Value> {
    let mut policies = Vec::new();
    for (_, text) in &FILES[1..3] {
        let tree: Value = serde_yaml_ng::from_str(text).unwrap();
        policies.extend(tree["items"].as_array().cloned().unwrap_or_else(|| vec![tree]));
    }
    for policy in &mut policies {
        policy["apiVersion"] = json!("security.istio.io/v1");
        policy["metadata"]["uid"] = json!("5678");
        policy["metadata"]["labels"] = json!({"team": "shop"});
        policy["status"] = json!({});
        let spec = policy["spec"].as_object_mut().unwrap();
        spec.entry("action").or_insert(json!("ALLOW"));
    }
    policies
}

fn policy(namespace: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"namespace": namespace, "name": name});
    json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec})
}

/// Changes every section with policies below a tree.
fn sections(tree: &mut Value, change: &dyn Fn(&mut Value)) {
    if tree.get("policies").is_some() {
        change(tree);
        return;
    }
    match tree {
        Value::Object(fields) => fields.values_mut().for_each(|inner| sections(inner, change)),
        Value::Array(items) => items.iter_mut().for_each(|inner| sections(inner, change)),
        _ => {}
    }
}

/// Gives every document below a tree that mode, or none.
fn mode(tree: &mut Value, word: Option<Value>) {
    match tree {
        Value::Object(fields) if fields.contains_key("schema") => {
            fields.remove("mode");
            fields.extend(word.map(|word| ("mode".to_owned(), word)));
        }
        Value::Object(fields) => fields.values_mut().for_each(|inner| mode(inner, word.clone())),
        Value::Array(items) => items.iter_mut().for_each(|inner| mode(inner, word.clone())),
        _ => {}
    }
}

fn pack(section: &mut Value) {
    let policies = section.as_object_mut().unwrap().remove("policies").unwrap().to_string();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(policies.as_bytes()).unwrap();
    section["policiesGzip"] = json!(BASE64_STANDARD.encode(encoder.finish().unwrap()));
}

/// An object that makes pods with a label `app` of its name.
fn deployment(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": namespace, "name": name},
        "spec": {"template": {"metadata": {"labels": {"app": name}}}},
    })
}

/// Objects of the cluster: those that are deployed, all of them enforced, then its policies `shop/cart`, `stock/stock` and
/// `edge/public`.
type Cluster = (Vec<Value>, Vec<Value>);

#[test]
fn policies_of_the_cluster_are_compared_with_deployed_documents() {
    let folder = rendered();
    let mut rows = Rows::default();
    let everything = json!({"rules": [{}]});
    let of = |labels: Value| json!({"selector": {"matchLabels": labels}, "action": "DENY", "rules": [{}]});
    let mut check = |name: &str, code: i32, expected: &[&str], change: &dyn Fn(&mut Cluster)| {
        let mut cluster = (live(folder.path()), native());
        cluster.0.extend([deployment("shop", "cart"), deployment("stock", "stock")]);
        cluster.0.iter_mut().for_each(|object| mode(object, None));
        change(&mut cluster);
        let (mut objects, policies) = cluster;
        objects.extend(policies);
        let input = json!({"kind": "List", "items": objects}).to_string();
        let output = weir(folder.path(), &input, &["diff", "--policies", "--deployed", "-"]);
        rows.check(format!("{name}: {}", text(&output)), output.status.code(), Some(code));
        for line in expected {
            rows.contains(name, &text(&output), line);
        }
    };
    let same = "3 policies of 3 plugins are as in the cluster";
    check("as deployed", 0, &[same], &|_| {});
    check("packed", 0, &[same], &|(objects, _)| objects.iter_mut().for_each(|object| sections(object, &pack)));
    check("one of another workload", 0, &[same], &|(_, policies)| {
        policies.push(policy("shop", "web", of(json!({"app": "web"}))))
    });
    check("one of another project", 0, &[same], &|(_, policies)| {
        policies.push(
            json!({"apiVersion": "policy.linkerd.io/v1", "kind": "AuthorizationPolicy", "metadata": {"name": "x"}}),
        );
    });
    check(
        "one more in the cluster",
        1,
        &[
            "EnvoyFilter shop/weir-suite-cart: AuthorizationPolicy shop/new is in the cluster, and not in the document\n",
            "1 differences; 3 policies are as in the cluster",
        ],
        &|(_, policies)| policies.push(policy("shop", "new", of(json!({"app": "cart"})))),
    );
    check(
        "one of the whole mesh",
        1,
        &[
            "EnvoyFilter shop/weir-suite-cart: AuthorizationPolicy istio-system/all is in the cluster",
            "EnvoyFilter stock/weir-suite-stock: AuthorizationPolicy istio-system/all is in the cluster",
            "WasmPlugin edge/weir-suite-public: AuthorizationPolicy istio-system/all is in the cluster",
        ],
        &|(_, policies)| policies.push(policy("istio-system", "all", everything.clone())),
    );
    check(
        "an edit in the cluster",
        1,
        &[
            "AuthorizationPolicy shop/cart: $.spec.rules[0].to[0].operation.paths[0]: in the cluster is `\"/basket\"`, in \
           the document is `\"/cart\"`",
        ],
        &|(_, policies)| policies[0]["spec"]["rules"][0]["to"][0]["operation"]["paths"] = json!(["/basket"]),
    );
    check(
        "an edit, and the document is packed",
        1,
        &["AuthorizationPolicy shop/cart: $.spec.rules: 2 items are in the cluster, 1 are in the document"],
        &|(objects, policies)| {
            policies[0]["spec"]["rules"].as_array_mut().unwrap().push(json!({}));
            objects.iter_mut().for_each(|object| sections(object, &pack));
        },
    );
    check(
        "a dry run that ended",
        1,
        &["AuthorizationPolicy stock/stock: $.metadata.annotations: is in the document, and not in the cluster"],
        &|(objects, _)| {
            sections(&mut objects[1], &|section| {
                section["policies"][0]["metadata"]["annotations"] = json!({"istio.io/dry-run": "true"});
            });
        },
    );
    check(
        "taken from the workload",
        1,
        &["AuthorizationPolicy shop/cart: $.spec.selector: is in the cluster, and not in the document"],
        &|(_, policies)| policies[0]["spec"]["selector"] = json!({"matchLabels": {"app": "web"}}),
    );
    check(
        "removed from the cluster",
        1,
        &[
            "WasmPlugin edge/weir-suite-public: AuthorizationPolicy edge/public is in the document, and not in the cluster",
        ],
        &|(_, policies)| drop(policies.remove(2)),
    );
    check(
        "an action that no document has",
        0,
        &[same, "AuthorizationPolicy shop/ext has action CUSTOM, which stays Istio's"],
        &|(_, policies)| {
            policies.push(policy("shop", "ext", json!({"action": "CUSTOM", "provider": {"name": "x"}, "rules": [{}]})))
        },
    );
    let asks = |paths: &str| {
        let rules = json!([{"to": [{"operation": {"paths": [paths]}}]}]);
        policy("shop", "ext", json!({"action": "CUSTOM", "provider": {"name": "x"}, "rules": rules}))
    };
    let takes_over = |section: &mut Value| section["policies"].as_array_mut().unwrap().push(asks("/a"));
    check(
        "a document that asks a provider",
        1,
        &[
            "AuthorizationPolicy shop/ext: $.spec.rules[0].to[0].operation.paths[0]: in the cluster is `\"/b\"`, in the document is `\"/a\"`",
        ],
        &|(objects, policies)| {
            sections(&mut objects[0], &takes_over);
            policies.push(asks("/b"));
        },
    );
    let asking = of(json!({"app": "cart", "tier": "a"}));
    check(
        "a label that the document does not tell",
        0,
        &[same, "AuthorizationPolicy shop/tier may be for some of its pods: the document's labels do not tell `tier`"],
        &|(_, policies)| policies.push(policy("shop", "tier", asking.clone())),
    );
    check(
        "a document whose pods decide by their own labels",
        1,
        &["EnvoyFilter shop/weir-suite-cart: AuthorizationPolicy shop/tier is in the cluster, and not in the document"],
        &|(objects, policies)| {
            sections(&mut objects[0], &|section| drop(section["workload"].as_object_mut().unwrap().remove("labels")));
            policies.push(policy("shop", "tier", asking.clone()));
        },
    );
    check(
        "a target that only Istio knows",
        1,
        &[
            "WasmPlugin edge/weir-suite-public: cannot be compared: stdin:1:",
            "AuthorizationPolicy edge/route: $.items[8]: whether this proxy serves the target is unknown",
        ],
        &|(_, policies)| {
            let target = json!({"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "r"});
            policies.push(policy("edge", "route", json!({"targetRefs": [target], "rules": [{}]})));
        },
    );
    // A document that was written by hand says no proxy: the object around it does.
    check("no proxy in the document", 0, &[same], &|(objects, _)| {
        let forget = |section: &mut Value| drop(section["workload"].as_object_mut().unwrap().remove("proxy"));
        objects.iter_mut().for_each(|object| sections(object, &forget));
    });
    check(
        "an object of the root namespace, and no namespace in the document",
        1,
        &["cannot be compared: the document does not say `workload.namespace`"],
        &|(objects, _)| {
            objects[0]["metadata"]["namespace"] = json!("istio-system");
            sections(&mut objects[0], &|section| drop(section.as_object_mut().unwrap().remove("workload")));
        },
    );
    for (word, said) in [(json!("shadow"), "shadow"), (json!("off"), "off"), (json!(false), "off")] {
        let line = format!("EnvoyFilter shop/weir-suite-cart: its policies have `mode: {said}` and refuse nothing");
        check("a mode that refuses nothing", 1, &[&line, "1 differences; 3 policies"], &|(objects, _)| {
            mode(&mut objects[0], Some(word.clone()));
        });
    }
    check("the mode of the section", 1, &["shop/weir-suite-cart: its policies have `mode: shadow`"], &|(
        objects,
        _,
    )| {
        sections(&mut objects[0], &|section| section["mode"] = json!("shadow"));
    });
    let beyond = "AuthorizationPolicy shop/cart is for Deployment shop/payments too, where no plugin of Weir has it";
    check("a workload without a plugin", 1, &[beyond], &|(objects, _)| objects.push(deployment("shop", "payments")));
    check("one of another namespace", 0, &[same], &|(objects, _)| objects.push(deployment("web", "payments")));
    let labelled = |label: &str, word: &str| {
        let mut pods = deployment("shop", "payments");
        pods["spec"]["template"]["metadata"]["labels"][label] = json!(word);
        pods
    };
    check("one without a proxy", 0, &[same], &|(objects, _)| {
        objects.push(labelled("sidecar.istio.io/inject", "false"));
    });
    let namespace = |labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}});
    check("a namespace without proxies", 0, &[same], &|(objects, _)| {
        objects.extend([deployment("shop", "payments"), namespace(json!({}))]);
    });
    check("a namespace with proxies", 1, &[beyond], &|(objects, _)| {
        objects.extend([deployment("shop", "payments"), namespace(json!({"istio-injection": "enabled"}))]);
    });
    check("a namespace in ambient mode", 1, &[beyond], &|(objects, _)| {
        objects.extend([deployment("shop", "payments"), namespace(json!({"istio.io/dataplane-mode": "ambient"}))]);
    });
    check("one in ambient mode", 1, &[beyond], &|(objects, _)| {
        objects.extend([labelled("istio.io/dataplane-mode", "ambient"), namespace(json!({}))]);
    });
    check("a workload that the policy is not for", 0, &[same], &|(objects, policies)| {
        objects.push(deployment("shop", "payments"));
        policies[0]["spec"]["selector"] = json!({"matchLabels": {"app": "cart"}});
        sections(&mut objects[0], &|section| section["policies"][0]["spec"] = policies[0]["spec"].clone());
    });
    check("a dry run, which opens nothing", 0, &[same], &|(objects, policies)| {
        objects.push(deployment("shop", "payments"));
        let dry = json!({"istio.io/dry-run": "true"});
        policies[0]["metadata"]["annotations"] = dry.clone();
        sections(&mut objects[0], &|section| section["policies"][0]["metadata"]["annotations"] = dry.clone());
    });
    check(
        "no Deployments",
        1,
        &[
            "AuthorizationPolicy shop/cart is for all workloads of shop, and the plugins that have it are at some of them",
        ],
        &|(objects, _)| objects.retain(|object| object["kind"] != "Deployment"),
    );
    check("no Deployments, and as wide as the plugin", 0, &[same], &|(objects, policies)| {
        objects.retain(|object| object["kind"] != "Deployment");
        for (number, app) in [(0, "cart"), (1, "stock")] {
            policies[number]["spec"]["selector"] = json!({"matchLabels": {"app": app}});
            sections(&mut objects[number], &|section| {
                section["policies"][0]["spec"] = policies[number]["spec"].clone();
            });
        }
    });
    check(
        "TCP",
        0,
        &[
            same,
            "in Istio these policies guard TCP streams too, and the filter of requests decides HTTP alone",
            "EnvoyFilter shop/weir-suite-cart: its policies in the cluster guard TCP too: Service shop/cart has TCP ports: `redis` 1",
        ],
        &|(objects, _)| {
            let spec = json!({"selector": {"app": "cart"}, "ports": [{"name": "redis", "port": 1}]});
            objects.push(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": "cart"}, "spec": spec,
            }));
        },
    );
    check("no plugin", 1, &["no plugin of Weir with policies is deployed"], &|(objects, _)| objects.clear());
}

#[test]
fn a_comparison_has_one_other_side() {
    let mut rows = Rows::default();
    for arguments in [&["--deployed", "-"][..], &["--deployed", "-", "--policies", "--config", "weir.yaml"]] {
        let output = weir(Path::new("."), "", &[&["diff"][..], arguments].concat());
        rows.check(format!("{arguments:?}"), output.status.code(), Some(2));
    }
}
