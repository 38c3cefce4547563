//! For programs.

use super::super::needed;
use super::super::options::For;
use super::super::side::Said;
use super::super::tally::{Example, Group, Place};
use super::Report;
use serde_json::{Map, Value, json};

fn place(Place { file, line }: &Place) -> Value {
    json!({"file": file, "line": line})
}

fn example(Example { place, method, host, path, caller }: &Example) -> Value {
    json!({"file": place.file, "line": place.line, "method": method, "host": host, "path": path, "caller": caller})
}

fn examples(examples: &[Example]) -> Vec<Value> {
    examples.iter().map(example).collect()
}

fn said(said: &Said) -> Value {
    json!({"decision": said.word(), "rule": said.rule, "why": said.why})
}

fn group(group: &&Group) -> Value {
    json!({
        "count": group.count,
        "from": said(&group.from),
        "to": said(&group.to),
        "callers": group.callers,
        "examples": examples(&group.examples),
    })
}

impl Report<'_> {
    /// The report as one object.
    pub(in super::super) fn json(&self) -> Value {
        let tally = self.tally;
        let missing = self
            .missing
            .iter()
            .map(|(field, count, policies)| json!({"field": field.to_string(), "count": count, "policies": policies}));
        let unmatched = self.unmatched.iter().map(|(rule, perhaps)| json!({"rule": rule, "mayHaveMatched": perhaps}));
        let broken = tally.broken_at.iter().map(|(at, why)| {
            let mut fields = place(at);
            fields.as_object_mut().into_iter().for_each(|fields| {
                fields.insert("why".to_owned(), json!(why));
            });
            fields
        });
        let mut all = Map::from_iter([
            ("lines".to_owned(), json!(tally.lines)),
            ("requests".to_owned(), json!(tally.requests)),
            ("first".to_owned(), json!(tally.first)),
            ("last".to_owned(), json!(tally.last)),
            ("broken".to_owned(), json!({"count": tally.broken, "examples": broken.collect::<Vec<_>>()})),
            ("notCompared".to_owned(), json!(tally.set_aside)),
        ]);
        if self.of.is_some() {
            all.extend([
                ("of".to_owned(), json!(self.of)),
                ("against".to_owned(), json!(if self.is_against { "policies" } else { "log" })),
                ("compared".to_owned(), json!(tally.compared())),
                (
                    "changed".to_owned(),
                    json!({"count": self.changed(), "refused": self.to(false), "allowed": self.to(true)}),
                ),
                ("changes".to_owned(), json!(self.changes.iter().map(group).collect::<Vec<_>>())),
                ("sameWhateverIsMissing".to_owned(), json!(tally.alike)),
                ("sameByOtherRule".to_owned(), json!(tally.by_other_rules())),
                ("undecidable".to_owned(), json!({"count": self.undecided(), "missing": missing.collect::<Vec<_>>()})),
                (
                    "answeredOtherwise".to_owned(),
                    json!({"count": tally.disagreeing, "examples": examples(&tally.disagreeing_at)}),
                ),
                ("unmatched".to_owned(), json!(unmatched.collect::<Vec<_>>())),
            ]);
        }
        if let Some(strict) = &tally.strict {
            let callers = strict.sorted().into_iter().map(|(name, caller)| {
                json!({"caller": name, "count": caller.count, "paths": caller.paths, "examples": examples(&caller.examples)})
            });
            all.insert(
                "strict".to_owned(),
                json!({
                    "mutualTls": strict.mutual,
                    "refused": strict.refused,
                    "refusedByServerNameAlone": strict.nameless,
                    "unknown": strict.unknown,
                    "callers": callers.collect::<Vec<_>>(),
                }),
            );
        }
        if let Some(fields) = &self.format {
            let format = json!({
                "jsonFormat": fields,
                "envoy": needed::configuration(fields, For::Envoy),
                "istio": needed::configuration(fields, For::Istio),
            });
            all.insert("logFormat".to_owned(), format);
        }
        Value::Object(all)
    }
}
