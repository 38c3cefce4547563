//! Conditions in CEL: what is asked of Envoy and when, what its answers come to, and what is refused.

mod random;

use super::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{CelError, CelValue, Expressions};

/// Envoy, for which an expression is a letter: `t` is true, `f` false, and any other fails.
#[derive(Default)]
pub(super) struct Host {
    /// The expressions by their numbers.
    texts: Vec<String>,
    /// What the first one comes to, if that is not a condition.
    pub(super) first: Option<&'static str>,
    asked: RefCell<Vec<String>>,
}

impl Host {
    pub(super) fn of(policy: &Policy) -> Self {
        let texts = policy.expressions().into_iter().map(|expression| expression.text);
        Self { texts: texts.collect(), ..Self::default() }
    }

    /// The conditions that were asked for, in their order.
    pub(super) fn asked(&self) -> String {
        self.asked.borrow().join(" ")
    }
}

impl Expressions for Host {
    fn evaluate(&self, owner: u8, number: usize) -> Result<CelValue, CelError> {
        assert_eq!(owner, 0);
        if let Some(first) = self.first.filter(|_| number == 0) {
            return Ok(CelValue::String(first.as_bytes().into()));
        }
        let text = self.texts.get(number).ok_or(CelError::Unknown)?;
        self.asked.borrow_mut().push(text.clone());
        match text.as_bytes().first() {
            Some(b't') => Ok(CelValue::Bool(true)),
            Some(b'f') => Ok(CelValue::Bool(false)),
            _ => Err(CelError::Failed),
        }
    }
}

/// What a request comes to: the decision as the access log has it, what was asked of Envoy, what failed.
fn decided(policy: &mut Policy, path: &str) -> (String, String, String) {
    let host = Host::of(policy);
    let bytes = PairsBuilder::default().push(b":path", path.as_bytes()).push(b":method", b"GET").finish();
    let facts = Facts {
        request_headers: Headers::new(&bytes),
        response_headers: Headers::default(),
        response_trailers: Headers::default(),
        attributes: &Attributes::default(),
    };
    let (mut cells, mut effects, mut edits) = (MemoryCells::default(), Effects::default(), Edits::default());
    let mut io = Io { expressions: Some(&host), ..Io::new(Now::default(), &mut cells, &mut effects) };
    let verdict = policy.request(&mut Stream::default(), &facts, &mut edits, &mut io);
    let text = edits.filter_state.first().map(|(_, text)| String::from_utf8_lossy(text).into_owned());
    let outcome = match (&verdict, text) {
        (Verdict::Continue, None) => "allow -".to_owned(),
        (_, Some(text)) => text,
        (verdict, None) => format!("{verdict:?}"),
    };
    (outcome, host.asked(), counted(&mut effects))
}

/// The failures that were counted, by rule, since the last call.
fn counted(effects: &mut Effects) -> String {
    let (mut names, mut sums) = (BTreeMap::new(), BTreeMap::<String, u64>::new());
    for op in effects.metrics.drain(..) {
        match op {
            MetricOp::Define { series, name, .. } => {
                names.insert(series, name);
            }
            MetricOp::Add { series, by, .. } => {
                let name = names.get(&series).map_or("", String::as_str);
                if let Some(labels) = name.strip_suffix(";.;weir_policy_cel_errors_total") {
                    let values: Vec<&str> =
                        labels.split(";.;").skip(1).filter_map(|l| Some(l.split_once("=.=")?.1)).collect();
                    *sums.entry(values.join("#")).or_default() += by;
                }
            }
            MetricOp::Record { .. } => {}
        }
    }
    sums.iter().map(|(name, by)| format!("{name}={by}")).collect::<Vec<_>>().join(" ")
}

/// Policies, each with its action and its rules.
type Given<'g> = &'g [(&'g str, &'g str)];

const ALWAYS: &str = r#","accessLogState":"always""#;

/// A policy: its name, its action, its rules as words. A word that begins with `/` is a path, one with `!` an expression that
/// must not hold, `a|b` expressions of which one must; all words of a rule must hold, and rules are separated by commas.
fn spec(action: &str, rules: &str) -> String {
    let listed = |text: &str| text.split('|').map(|one| format!("{one:?}")).collect::<Vec<_>>().join(",");
    let word = |word: &str| match (word.strip_prefix('/'), word.strip_prefix('!')) {
        (Some(_), _) => format!(r#"{{"key":"request.headers[:path]","values":["{word}"]}}"#),
        (_, Some(not)) => format!(r#"{{"key":"cel","notValues":[{}]}}"#, listed(not)),
        _ => format!(r#"{{"key":"cel","values":[{}]}}"#, listed(word)),
    };
    let rule =
        |rule: &str| format!(r#"{{"when":[{}]}}"#, rule.split_whitespace().map(word).collect::<Vec<_>>().join(","));
    let rules: Vec<String> = rules.split(',').map(rule).collect();
    format!(r#"{{"action":"{action}","rules":[{}]}}"#, rules.join(","))
}

/// A document with policies `a`, `b`, ... of these actions and rules; `DENY?` is a DENY policy under dry run.
fn policies(extra: &str, given: Given<'_>) -> Policy {
    let specs: Vec<(String, String, String)> = given
        .iter()
        .zip('a'..)
        .map(|((action, rules), name)| {
            let trial = if action.ends_with('?') { r#","annotations":{"istio.io/dry-run":"true"}"# } else { "" };
            (name.to_string(), trial.to_owned(), spec(action.trim_end_matches('?'), rules))
        })
        .collect();
    let objects: Vec<Object<'_>> = specs.iter().map(|(name, trial, spec)| (&**name, &**trial, &**spec)).collect();
    policy(&format!("{ALWAYS}{extra}"), &objects).unwrap()
}

#[test]
fn an_expression_is_evaluated_once_and_only_where_the_decision_hangs_on_it() {
    let mut rows = Rows::default();
    let cases: [(Given<'_>, &str, &str, &str); 37] = [
        // The rest of the rule comes first.
        (&[("ALLOW", "/a t")], "allow shop/a[0]", "t", ""),
        (&[("ALLOW", "/b t")], "deny -", "", ""),
        (&[("ALLOW", "/a f")], "deny -", "f", ""),
        (&[("ALLOW", "/a e")], "deny shop/a[0] cel-unknown", "e", "shop/a#0=1"),
        (&[("ALLOW", "/a !t")], "deny -", "t", ""),
        (&[("ALLOW", "/a !f")], "allow shop/a[0]", "f", ""),
        (&[("ALLOW", "/a !e")], "deny shop/a[0] cel-unknown", "e", "shop/a#0=1"),
        (&[("DENY", "/a t")], "deny shop/a[0]", "t", ""),
        (&[("DENY", "/b t")], "allow -", "", ""),
        (&[("DENY", "/a f")], "allow -", "f", ""),
        (&[("DENY", "/a e")], "deny shop/a[0] cel-unknown", "e", "shop/a#0=1"),
        (&[("DENY", "/a !t")], "allow -", "t", ""),
        (&[("DENY", "/a !f")], "deny shop/a[0]", "f", ""),
        (&[("DENY", "/a !e")], "deny shop/a[0] cel-unknown", "e", "shop/a#0=1"),
        // One of several, all of several, none of several.
        (&[("ALLOW", "f1|t1|t2")], "allow shop/a[0]", "f1 t1", ""),
        (&[("ALLOW", "e1|t1")], "allow shop/a[0]", "e1 t1", "shop/a#0=1"),
        (&[("ALLOW", "e1|f1")], "deny shop/a[0] cel-unknown", "e1 f1", "shop/a#0=1"),
        (&[("ALLOW", "t1 f1 t2")], "deny -", "t1 f1", ""),
        (&[("ALLOW", "e1 f1 t2")], "deny -", "e1 f1", "shop/a#0=1"),
        (&[("ALLOW", "!f1|f2")], "allow shop/a[0]", "f1 f2", ""),
        (&[("ALLOW", "!f1|t1|f2")], "deny -", "f1 t1", ""),
        // What is asked for several times is evaluated once.
        (&[("ALLOW", "f /a,f t,!f")], "allow shop/a[2]", "f", ""),
        (&[("DENY", "f,e"), ("ALLOW", "f,t")], "deny shop/a[1] cel-unknown", "f e", "shop/a#1=1"),
        (&[("DENY", "f,t"), ("ALLOW", "t,f")], "deny shop/a[1]", "f t", ""),
        (&[("DENY", "f"), ("ALLOW", "f,t")], "allow shop/b[1]", "f t", ""),
        // What is settled without an expression is not asked.
        (&[("ALLOW", "t,/a")], "allow shop/a[1]", "", ""),
        (&[("ALLOW", "t"), ("ALLOW", "/a")], "allow shop/b[0]", "", ""),
        (&[("DENY", "t,/a"), ("ALLOW", "t2")], "deny shop/a[1]", "", ""),
        (&[("DENY", "t1,t2"), ("ALLOW", "t3")], "deny shop/a[0]", "t1", ""),
        (&[("DENY", "t1,t2"), ("ALLOW", "/a")], "deny shop/a[0]", "t1", ""),
        (&[("DENY", "f1"), ("ALLOW", "/a,t1")], "allow shop/b[0]", "f1", ""),
        (&[("DENY", "t1"), ("ALLOW", "/b t2")], "deny -", "", ""),
        (&[("DENY", "e1,t1"), ("ALLOW", "t2")], "deny shop/a[0] cel-unknown", "e1", "shop/a#0=1"),
        (&[("ALLOW", "f1,t1,t2")], "allow shop/a[1]", "f1 t1", ""),
        (&[("ALLOW", "e1,t1")], "allow shop/a[1]", "e1 t1", "shop/a#0=1"),
        // Audit and trial are decided on by themselves.
        (&[("ALLOW", "/a"), ("AUDIT", "f,t")], "allow shop/a[0] audit shop/b[1]", "f t", ""),
        (&[("DENY", "/a"), ("AUDIT", "e,t")], "deny shop/a[0] audit shop/b[0]", "e", "shop/b#0=1"),
    ];
    for (given, outcome, asked, failed) in cases {
        let mut policy = policies("", given);
        let expected = (outcome.to_owned(), asked.to_owned(), failed.to_owned());
        rows.check(format!("{given:?}"), decided(&mut policy, "/a"), expected.clone());
        // Nothing of one request is left for the next.
        rows.check(format!("{given:?} again"), decided(&mut policy, "/a").0, expected.0);
    }
}

#[test]
fn policies_under_dry_run_are_decided_on_each_alone_and_together() {
    let mut rows = Rows::default();
    let cases: [(Given<'_>, &str, &str, &str); 6] = [
        (&[("DENY?", "f,t")], "a deny 1", "deny a 1", "f t"),
        (&[("DENY?", "t,/a")], "a deny 1", "deny a 1", ""),
        (&[("DENY?", "t"), ("DENY?", "/a")], "a deny 0, b deny 0", "deny b 0", "t"),
        (&[("ALLOW?", "f"), ("ALLOW?", "t")], "a deny -, b allow 0", "allow b 0", "f t"),
        (&[("DENY?", "e"), ("ALLOW?", "t")], "a deny 0, b allow 0", "deny a 0", "e t"),
        (&[("DENY", "t"), ("DENY?", "t,f")], "b deny 0", "deny b 0", "t"),
    ];
    for (given, alone, together, asked) in cases {
        let policy = policies("", given);
        let host = Host::of(&policy);
        let bytes = PairsBuilder::default().push(b":path", b"/a").finish();
        let none = Headers::default();
        let attributes = Attributes::default();
        let facts = Facts {
            request_headers: Headers::new(&bytes),
            response_headers: none,
            response_trailers: none,
            attributes: &attributes,
        };
        let mut scratch = Scratch::new(&policy.compiled);
        let evaluate = |number: u16| match host.evaluate(0, number.into()) {
            Ok(CelValue::Bool(holds)) => Some(holds),
            _ => None,
        };
        let decisions = Decisions::of(&policy.compiled, decide(&policy.compiled, &facts, &evaluate, &mut scratch));
        let named =
            |decision: &Decision<'_>| decision.rule.map_or_else(|| "-".to_owned(), |rule| rule.index.to_string());
        let one = |one: crate::ShadowDecision<'_>| {
            let word = if one.decision.allow { "allow" } else { "deny" };
            format!("{} {word} {}", one.name, named(&one.decision))
        };
        rows.check(format!("{given:?}"), decisions.alone().map(one).collect::<Vec<_>>().join(", "), alone.to_owned());
        let found = decisions.shadow.map_or_else(String::new, |shadow| {
            let word = if shadow.allow { "allow" } else { "deny" };
            format!("{word} {} {}", shadow.rule.map_or("-", |rule| rule.policy), named(&shadow))
        });
        rows.check(format!("{given:?} together"), found, together.to_owned());
        rows.check(format!("{given:?} asked"), host.asked(), asked.to_owned());
    }
}

#[test]
fn what_else_cannot_be_read_does_not_keep_an_expression_from_settling_a_rule() {
    let spec = |action: &str, cel: &str| {
        format!(
            r#"{{"action":"{action}","rules":[{{"from":[{{"source":{{"ipBlocks":["10.0.0.1"]}}}}],"when":[{{"key":"cel","values":["{cel}"]}}]}}]}}"#
        )
    };
    let mut rows = Rows::default();
    for (action, cel, outcome) in [
        ("DENY", "f", "allow -"),
        ("DENY", "t", "deny shop/p[0] direct-address-unknown"),
        ("DENY", "e", "deny shop/p[0] direct-address-unknown"),
        ("ALLOW", "f", "deny -"),
        ("ALLOW", "t", "deny shop/p[0] direct-address-unknown"),
    ] {
        let mut policy = policy(ALWAYS, &[("p", "", &spec(action, cel))]).unwrap();
        rows.check(format!("{action} {cel}"), decided(&mut policy, "/a").0, outcome.to_owned());
    }
}

#[test]
fn a_refusal_names_the_expression_as_what_is_unknown() {
    let mut policy = policies("", &[("DENY", "e")]);
    let (verdict, ..) = run(&mut policy, &GET, &Attributes::default());
    let Verdict::Reply(reply) = verdict else { panic!("{verdict:?}") };
    assert_eq!(reply.details, "rbac_access_denied[cel-unknown]_needed_by[ns[shop]-policy[a]-rule[0]]");
}

#[test]
fn modes_that_refuse_nothing_evaluate_all_the_same_and_off_evaluates_nothing() {
    let mut rows = Rows::default();
    for (mode, outcome, asked) in [("shadow", "shadow deny shop/a[0]", "t"), ("off", "allow -", "")] {
        let mut policy = policies(&format!(r#","mode":"{mode}""#), &[("DENY", "t")]);
        let (found, of_host, _) = decided(&mut policy, "/a");
        rows.check(mode, (found, of_host), (outcome.to_owned(), asked.to_owned()));
    }
}

#[test]
fn expressions_are_made_with_the_path_where_each_stands_first() {
    let one = spec("DENY", "/a t1|t2,t2 !f1");
    let two = spec("ALLOW", "f1|f2");
    let policy = policy("", &[("a", "", &one), ("b", "", &two)]).unwrap();
    let place = |expression: Expression| format!("{} {}", expression.path, expression.text);
    let expected = [
        "$.policies[0].spec.rules[0].when[1].values[0] t1",
        "$.policies[0].spec.rules[0].when[1].values[1] t2",
        "$.policies[0].spec.rules[1].when[1].notValues[0] f1",
        "$.policies[1].spec.rules[0].when[0].values[1] f2",
    ];
    assert_eq!(policy.expressions().into_iter().map(place).collect::<Vec<_>>(), expected);
    assert!(policy.expressions().iter().all(|expression| expression.is_required));
}

/// The problems of a rule of a DENY policy, or its warnings.
fn said(extra: &str, when: &str) -> Vec<String> {
    let spec = format!(r#"{{"action":"DENY","rules":[{{"when":[{when}]}}]}}"#);
    match policy(extra, &[("p", "", &spec)]) {
        Ok(policy) => policy.warnings().iter().map(ToString::to_string).collect(),
        Err(problems) => vec![problems],
    }
}

#[test]
fn what_cannot_be_asked_is_refused_and_what_is_doubtful_is_said() {
    let mut rows = Rows::default();
    let path = r#"{"key":"request.headers[:path]","values":["/a"]}"#;
    let [longest, long] = [0, 1].map(|more| "t".repeat(crate::config::cel::LENGTH + more));
    for (values, expected) in [
        (r#""values":["t"]"#.to_owned(), ""),
        (format!(r#""values":["{longest}"]"#), ""),
        (r#""values":[],"notValues":["t"]"#.to_owned(), ""),
        (r#""values":["t"],"notValues":[]"#.to_owned(), ""),
        (format!(r#""values":["{long}"]"#), "an expression has at most 4096 bytes"),
        (r#""values":[]"#.to_owned(), "must have at least one value"),
        (r#""x":1"#.to_owned(), "must have at least one value"),
        (r#""values":[""]"#.to_owned(), ".values[0]: must not be empty"),
        (r#""values":[true]"#.to_owned(), ".values[0]: expected a string"),
        (r#""values":"t""#.to_owned(), ".values: expected a list"),
        (r#""values":["a.all(x, b.all(y, true))"]"#.to_owned(), "may not be inside of one another"),
        (r#""values":["request.headers['x'] == 'a'"]"#.to_owned(), "[cel-joined-headers]"),
        (r#""values":["request.headers['x'] == 'a'"]"#.to_owned(), "[cel-header-absent]"),
        (r#""values":["response.code == 200"]"#.to_owned(), "[cel-absent]"),
    ] {
        let found = said("", &format!(r#"{path},{{"key":"cel",{values}}}"#)).join("\n");
        match expected {
            "" => rows.check(&values, found, String::new()),
            expected => rows.contains(&values, &found, expected),
        }
    }
}

#[test]
fn a_rule_that_nothing_leads_to_is_said() {
    let mut rows = Rows::default();
    let id = "[cel-every-request]";
    for (rule, is_said) in [
        (r#""when":[{"key":"cel","values":["t"]}]"#, true),
        (r#""when":[{"key":"cel","notValues":["t"]}]"#, true),
        (r#""to":[{"operation":{"notPaths":["/a"]}}],"when":[{"key":"cel","values":["t"]}]"#, true),
        (
            r#""to":[{"operation":{"paths":["/a"]}},{"operation":{"notPaths":["/b"]}}],"when":[{"key":"cel","values":["t"]}]"#,
            true,
        ),
        (r#""to":[{"operation":{"paths":["/a"]}}],"when":[{"key":"cel","values":["t"]}]"#, false),
        (r#""to":[{"operation":{"notPaths":["/a"]}}]"#, false),
    ] {
        let spec = format!(r#"{{"action":"DENY","rules":[{{{rule}}}]}}"#);
        let policy = policy("", &[("p", "", &spec)]).unwrap();
        let warnings: Vec<String> = policy.warnings().iter().map(ToString::to_string).collect();
        rows.check(
            rule,
            warnings.iter().filter(|one| one.contains(id) && one.starts_with("$.policies[0].spec.rules[0]:")).count(),
            usize::from(is_said),
        );
        rows.check(
            rule,
            policy.rules().1,
            usize::from(is_said || rule.starts_with(r#""to":[{"operation":{"notPaths""#)),
        );
    }
}

#[test]
fn the_number_of_different_expressions_is_bounded() {
    let most = crate::config::cel::EXPRESSIONS;
    let rules =
        |count: usize| (0..count).map(|number| format!("t{}", number % (most + 1))).collect::<Vec<_>>().join(",");
    let of =
        |count: usize| policy("", &[("p", "", &spec("DENY", &rules(count)))]).map(|policy| policy.expressions().len());
    assert_eq!(of(most), Ok(most));
    let refused = of(2 * most).unwrap_err();
    assert!(refused.contains("257 different expressions: at most 256"), "{refused}");
    let many = (0..2 * most).map(|number| format!("t{}", number % most)).collect::<Vec<_>>().join(",");
    let same = policy("", &[("p", "", &spec("DENY", &many))]).map(|policy| policy.expressions().len());
    assert_eq!(same, Ok(most));
}

#[test]
fn quarantine_sets_a_bad_expression_aside_on_the_side_of_refusing() {
    let quarantined = r#","onInvalid":"quarantine","accessLogState":"always""#;
    let mut rows = Rows::default();
    for (action, when, outcome, asked) in [
        // Without the list, or without the rule.
        ("DENY", r#"{"key":"cel","values":["f",""]}"#, "deny shop/p[0]", ""),
        ("DENY", r#"{"key":"cel","values":["f"],"notValues":[1]}"#, "allow -", "f"),
        ("DENY", r#"{"key":"cel","values":["t"],"notValues":[1]}"#, "deny shop/p[0]", "t"),
        ("ALLOW", r#"{"key":"cel","values":["t",""]}"#, "deny -", ""),
        ("ALLOW", r#"{"key":"cel","values":["t"]}"#, "allow shop/p[0]", "t"),
    ] {
        let spec = format!(r#"{{"action":"{action}","rules":[{{"when":[{when}]}}]}}"#);
        let mut policy = policy(quarantined, &[("p", "", &spec)]).unwrap();
        let (found, of_host, _) = decided(&mut policy, "/a");
        rows.check(format!("{action} {when}"), (found, of_host), (outcome.to_owned(), asked.to_owned()));
        // What Envoy refuses of the rest fails then, and does not refuse the document.
        rows.check(when, policy.expressions().iter().any(|expression| expression.is_required), false);
    }
}
