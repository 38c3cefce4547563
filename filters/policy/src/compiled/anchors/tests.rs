use crate::compiled::{Compiled, compile};
use crate::config::object::{Action, Clause, Field, Item, Object, Rule};
use crate::config::workload::Workload;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_matching::{BitSet, Candidates, Cidr, Pattern};
use weir_model::Node;

fn clause(field: Field, negated: bool, values: &[&str]) -> Clause {
    let pattern = |text: &&str| Cidr::parse(text).map_or_else(|| Pattern::parse(text), Pattern::Cidr);
    Clause { field, negated, values: values.iter().map(pattern).collect() }
}

fn path(text: &str) -> Clause {
    clause(Field::Path, false, &[text])
}

fn method(text: &str) -> Clause {
    clause(Field::Method, false, &[text])
}

fn not_methods(values: &[&str]) -> Clause {
    clause(Field::Method, true, values)
}

/// A rule with one part.
fn rule(items: Vec<Vec<Clause>>) -> Rule {
    Rule { all_of: [items.into_iter().map(Item::from).collect()].into(), ..Rule::default() }
}

fn compiled(rules: Vec<Rule>) -> Compiled {
    // Rules go by their names as text; with fewer than ten in a policy that is their order.
    let policy = |(rules, number): (&[Rule], usize)| Object {
        namespace: "ns".to_owned(),
        name: format!("{number:05}"),
        dry_run: false,
        action: Action::Allow,
        provider: None,
        rules: rules.iter().zip(0..).map(|(rule, index)| Rule { index, ..rule.clone() }).collect(),
    };
    compile(rules.chunks(10).zip(0..).map(policy).collect(), &Workload::of(&Node::default()))
}

/// The candidates of a GET of a path.
fn candidates(compiled: &Compiled, wanted: &str) -> Vec<u32> {
    let (mut hits, mut candidates) = (BitSet::default(), Candidates::default());
    hits.start(compiled.patterns.len());
    for (dimension, value) in [(compiled.dimensions.path, wanted), (compiled.dimensions.method, "GET")] {
        dimension.into_iter().for_each(|dimension| compiled.patterns.look_up(dimension, value.as_bytes(), &mut hits));
    }
    candidates.start(&compiled.index);
    hits.members().iter().for_each(|hit| candidates.hit(&compiled.index, *hit));
    all(compiled, &mut candidates)
}

fn all(compiled: &Compiled, candidates: &mut Candidates) -> Vec<u32> {
    let mut found = Vec::new();
    while let Some(rule) = candidates.next(&compiled.index, found.last().map_or(0, |last| last + 1)) {
        found.push(rule);
    }
    found
}

#[test]
fn a_rule_is_anchored_where_fewest_others_are() {
    let with = |number: usize| rule(vec![vec![method("GET"), path(&format!("/{number}"))]]);
    let many = compiled((0..100).map(with).collect());
    assert_eq!(candidates(&many, "/42"), [42]);
    assert_eq!(candidates(&many, "/none"), [0u32; 0]);
    // What every request has is the last to be chosen, however few rules ask for it.
    let present = |number: usize| rule(vec![vec![method("*"), path("/same")], vec![path(&format!("/{number}"))]]);
    let present = compiled((0..9).map(present).collect());
    assert_eq!(candidates(&present, "/other"), [0u32; 0]);
    assert_eq!(candidates(&present, "/3"), [3]);
}

#[test]
fn a_rule_without_an_anchor_is_always_a_candidate() {
    let open = compiled(vec![
        rule(vec![vec![path("/a")], vec![not_methods(&["POST"])]]),
        rule(vec![vec![path("/a")], vec![path("/b")]]),
        Rule::default(),
    ]);
    assert_eq!(open.index.unposted(), 2);
    assert_eq!(candidates(&open, "/none"), [0, 2]);
    assert_eq!(candidates(&open, "/b"), [0, 1, 2]);
}

#[test]
fn what_many_rules_exclude_takes_them_out() {
    let shared = |number: usize| vec![path("/x"), not_methods(&["GET", &format!("M{number}")])];
    let excluded = compiled((0..200).map(|number| rule(vec![shared(number)])).collect());
    assert_eq!(candidates(&excluded, "/x"), [0u32; 0]);
    // Where another item may hold, an excluded one decides nothing.
    let either = |number: usize| rule(vec![shared(number), vec![path("/x"), path("/y")]]);
    assert_eq!(candidates(&compiled((0..200).map(either).collect()), "/x").len(), 200);
    // A negation that is not hit excludes nothing.
    let other = |number: usize| rule(vec![vec![path("/x"), not_methods(&["PUT", &format!("M{number}")])]]);
    assert_eq!(candidates(&compiled((0..200).map(other).collect()), "/x").len(), 200);
}

#[test]
fn what_many_rules_need_is_one_question() {
    // All paths are a prefix of the one asked for, so each rule is a candidate of its own, but for the method.
    let nested = |number: usize| path(&format!("/{}*", "a".repeat(number)));
    let needs = |method: &str| {
        compiled((0..200).map(|number| rule(vec![vec![nested(number), self::method(method)]])).collect())
    };
    let put = needs("PUT");
    let [(key, condition)] = *put.needed else { panic!("{:?}", put.needed) };
    assert_eq!((Some(condition.dimension), condition.negated), (put.dimensions.method, false));
    let (mut hits, mut left) = (BitSet::default(), Candidates::default());
    hits.start(put.patterns.len());
    put.patterns.look_up(put.dimensions.path.unwrap(), b"/", &mut hits);
    left.start(&put.index);
    hits.members().iter().for_each(|hit| left.hit(&put.index, *hit));
    assert_eq!(all(&put, &mut left), [0]);
    left.start(&put.index);
    hits.members().iter().for_each(|hit| left.hit(&put.index, *hit));
    left.hit(&put.index, key);
    assert_eq!(all(&put, &mut left), [0u32; 0]);
    // Where another item may do instead, no rule needs the condition.
    let either = |number: usize| rule(vec![vec![nested(number), method("PUT")], vec![nested(number), path("/b")]]);
    assert!(compiled((0..200).map(either).collect()).needed.is_empty());
}

#[test]
fn a_dimension_that_is_unknown_leads_to_its_rules() {
    let range = |range: &str| clause(Field::RemoteAddress, false, &[range]);
    let not_range = |range: &str| clause(Field::RemoteAddress, true, &[range]);
    let compiled = compiled(vec![
        rule(vec![vec![range("10.0.0.0/8")]]),
        rule(vec![vec![path("/a"), not_range("10.0.0.0/8")]]),
        rule(vec![vec![range("fd00::/8")]]),
    ]);
    let (address, _) = &compiled.dimensions.attributes[0];
    let mut candidates = Candidates::default();
    candidates.start(&compiled.index);
    candidates.hit(&compiled.index, compiled.unknown_key(*address));
    assert_eq!(all(&compiled, &mut candidates), [0, 2]);
    assert_eq!(compiled.dimensions.fail_closed(*address), Some("remote-address"));
}
