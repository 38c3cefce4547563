use super::{Pods, is_added, placed};
use crate::render::form::Form;
use crate::render::plan::{Plan, Wanted};
use crate::render::tests::{policy, render, wanted};
use crate::render::workload::{Known, Proxy, labels};
use crate::tree::Tree;
use serde_json::{Value, json};
use weir_testing::Rows;

fn deployment(namespace: Option<&str>, name: &str) -> Value {
    let labels = json!({"app": "cart", "tier": "store"});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": namespace, "name": name},
        "spec": {"template": {"metadata": {"labels": labels}}},
    })
}

/// What is wanted for `shop/cart`, with a selector and labels.
fn asked(selector: &str, given: Option<&str>) -> Wanted {
    let split = |text: &str| text.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    Wanted {
        selector: labels(&split(selector)).unwrap(),
        labels: given.map(|given| labels(&split(given)).unwrap()),
        ..wanted(Form::EnvoyFilter, Proxy::Sidecar)
    }
}

#[test]
fn labels_that_the_pods_have_not_are_warned_of() {
    let own = || deployment(Some("shop"), "cart");
    let mut rows = Rows::default();
    for (name, object, selector, given, expected) in [
        ("all the same", own(), "app=cart", Some("app=cart,tier=store"), &[][..]),
        ("no labels given", own(), "app=cart", None, &[]),
        ("added by Istio", own(), "app=cart", Some("app=cart,tier=store,istio.io/rev=x"), &[]),
        ("another workload's", deployment(Some("shop"), "stock"), "app=crat", None, &[]),
        ("another namespace's", deployment(Some("stock"), "cart"), "app=crat", None, &[]),
        (
            "no namespace",
            deployment(None, "cart"),
            "app=crat",
            None,
            &["the pods have `app=cart`, and `app=crat` is selected"],
        ),
        (
            "a selector of another value",
            own(),
            "app=crat",
            None,
            &[
                "f.yaml: warning: Deployment shop/cart: $.spec.template.metadata.labels.app: the pods have `app=cart`, and \
               `app=crat` is selected: not these [labels]",
            ],
        ),
        (
            "a selector of another label",
            own(),
            "app=cart,v=1",
            None,
            &["`v=1` is selected, and the pods have no such label"],
        ),
        (
            "labels of another value, and too few",
            own(),
            "app=cart",
            Some("tier=web"),
            &["the pods have `tier=store`, and the labels that are given `tier=web`"],
        ),
        (
            "too few labels, and others",
            own(),
            "app=cart",
            Some("v=1"),
            &[
                "the pods have no `v=1`, which is among the labels that are given",
                "the pods have `tier=store`, which is not among the labels that are given: policies that ask for it are left out",
            ],
        ),
    ] {
        let pods: Vec<Pods> = Pods::of(&Tree::named("f.yaml", object), None).into_iter().collect();
        let (mut notes, mut warnings) = (Vec::new(), Vec::new());
        placed(&Plan::of(&asked(selector, given)).unwrap(), &pods, &mut notes, &mut warnings).unwrap();
        rows.check(format!("{name}: {warnings:?}"), warnings.len(), expected.len());
        for (warning, expected) in warnings.iter().zip(expected) {
            rows.contains(name, warning, expected);
        }
    }
}

/// A policy is kept if its selector is among the labels of the pod template; labels that are added to pods later are left for
/// the pod to decide.
#[test]
fn labels_are_those_of_the_pod_template_unless_they_are_given() {
    let mut rows = Rows::default();
    for (name, given, asks, expected) in [
        ("of the template", None, json!({"tier": "store"}), (1, Known::Template)),
        ("not of the template", None, json!({"tier": "web"}), (0, Known::Template)),
        ("none of the template", None, json!({"v": "1"}), (0, Known::Template)),
        ("added to the pod", None, json!({"topology.istio.io/network": "n"}), (1, Known::Template)),
        ("added to others", None, json!({"app": "stock", "istio.io/rev": "n"}), (0, Known::Template)),
        ("all are given", Some("v=1"), json!({"tier": "store"}), (0, Known::Given)),
    ] {
        let wanted = asked("app=cart", given);
        let allows = json!({"rules": [{}]});
        let files = [
            deployment(None, "cart"),
            policy("p", asks, allows),
            policy("own", json!({"app": "cart"}), json!({"rules": [{}]})),
        ];
        let rendered = render(&wanted, &files).unwrap();
        let count =
            rendered.notes.iter().find_map(|note| note.strip_suffix(" of 2 AuthorizationPolicies are for shop/cart"));
        let pods: Vec<Pods> = Pods::of(&Tree::named("f.yaml", files[0].clone()), None).into_iter().collect();
        let plan = placed(&Plan::of(&wanted).unwrap(), &pods, &mut Vec::new(), &mut Vec::new()).unwrap();
        let kept = count.unwrap().parse::<usize>().unwrap() - 1;
        rows.check(format!("{name}: {:?}", rendered.notes), (kept, plan.workload.known), expected);
    }
}

#[test]
fn policies_that_are_left_out_are_named_with_the_reason() {
    let allows = || json!({"rules": [{}]});
    let target = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}]);
    let mut targeted = policy("edge", json!({}), allows());
    targeted["spec"] = json!({"rules": [{}], "targetRefs": target});
    let mut root = policy("root", json!({"app": "stock"}), allows());
    root["metadata"]["namespace"] = json!("istio-system");
    let mut far = policy("far", json!({}), allows());
    far["metadata"]["namespace"] = json!("stock");
    let files = [
        deployment(None, "cart"),
        policy("a", json!({"app": "cart"}), allows()),
        policy("b", json!({"tier": "web"}), allows()),
        targeted,
        root,
        far,
    ];
    let rendered = render(&asked("app=cart", None), &files).unwrap();
    let note = rendered.notes.iter().find(|note| note.starts_with("left out")).unwrap();
    assert_eq!(
        note,
        "left out, as for other workloads: `istio-system/root` (asks for `app=stock`), `shop/b` (asks for `tier=web`), `shop/edge` \
         (is for Gateway `edge`); the labels of shop/cart are app=cart, tier=store"
    );
}

#[test]
fn labels_that_are_added_to_pods_are_known_by_their_keys() {
    let mut rows = Rows::default();
    for (key, expected) in [
        ("service.istio.io/canonical-name", true),
        ("security.istio.io/tlsMode", true),
        ("istio.io/rev", true),
        ("pod-template-hash", true),
        ("apps.kubernetes.io/pod-index", true),
        ("topology.kubernetes.io/zone", true),
        ("app.kubernetes.io/name", false),
        ("app", false),
        ("notistio.io/a", false),
    ] {
        rows.check(key, is_added(key), expected);
    }
}

/// The annotation is asked for once, and not of pods whose template has it already.
#[test]
fn pods_that_have_the_annotation_are_not_asked_for_it() {
    let name = "sidecar.istio.io/extraStatTags";
    let rendered = |object: &Value| {
        let trees = [object.clone(), json!({"schema": 1, "name": "cart", "telemetry": {}})];
        render(&asked("app=cart", None), &trees).unwrap()
    };
    let lines = rendered(&json!({"kind": "Service"})).annotation.unwrap();
    let value = lines.strip_prefix(&format!("{name}: '")).unwrap().strip_suffix('\'').unwrap();
    let mut rows = Rows::default();
    for (say, annotations, expected) in [
        ("none", json!({}), Some(lines.as_str())),
        ("the same", json!({name: value}), None),
        ("in another order", json!({name: value.rsplit(',').collect::<Vec<_>>().join(", ")}), None),
        ("with more", json!({name: format!("own,{value}")}), None),
        ("with less", json!({name: value.split_once(',').unwrap().1}), Some(lines.as_str())),
    ] {
        let mut object = deployment(Some("shop"), "cart");
        object["spec"]["template"]["metadata"]["annotations"] = annotations;
        let found = rendered(&object);
        let notes = found.notes.iter().filter(|note| note.contains("restart once")).count();
        rows.check(say, (found.annotation.as_deref(), notes), (expected, usize::from(expected.is_some())));
    }
}
