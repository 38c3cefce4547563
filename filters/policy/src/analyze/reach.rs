//! Who can reach what.
//!
//! Callers, methods and paths are taken in the words of the policies: a row for each pattern that a rule names, and one for
//! all that no pattern matches. What a row says holds for all that its pattern matches, what has a row of its own included.
//! Where access does not depend on the path, or on the method, there is one row for all of them.

use super::search::{Goal, Node};
use super::space::{Answered, Place, QuestionId, View};
use super::{Analysis, Budget, ExampleRequest, GaveUp, NEW, SECOND, given_up};
use crate::compiled::Enforcement;
use crate::config::object::Field;
use std::collections::BTreeSet;
use weir_matching::{PathParameters, Pattern, TemplatePart};

/// Whether requests pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// All of them do.
    Always,
    /// Some do: it depends on what the row does not say, or on a part of what its patterns match.
    Sometimes,
    /// None does.
    Never,
    /// The budget ended first.
    Unknown,
}

/// A part of the callers, methods or paths.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaching {
    /// All of them.
    All,
    /// What a pattern matches. Of callers also which field it is of.
    Pattern {
        /// `principal`, `namespace`, `service account`, `trust domain`, `method` or `path`.
        of: &'static str,
        /// The pattern.
        text: String,
    },
    /// What no pattern matches that a row has. Of callers those that show a name.
    Others,
    /// Callers that show no name.
    Nameless,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct ReachRow {
    /// Who calls.
    pub caller: Reaching,
    /// With which method.
    pub method: Reaching,
    /// Which path.
    pub path: Reaching,
    /// Whether these requests pass.
    pub access: Access,
    /// One that passes.
    pub passes: Option<Box<ExampleRequest>>,
    /// One that is refused.
    pub refused: Option<Box<ExampleRequest>>,
}

/// Who can reach what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reach {
    /// The rows. Where no request passes there is only a row for all methods and paths of a caller.
    pub rows: Vec<ReachRow>,
    /// Whether rows are missing, since there were too many or the budget has ended.
    pub is_cut: bool,
}

/// A part and the answers that requests of it give.
type Region = (Reaching, Vec<Answered>);

/// How many rows there are, at most.
const ROWS: usize = 5_000;

/// How many patterns of callers, methods and paths have rows, at most.
const CALLERS: usize = 500;
const METHODS: usize = 20;
const PATHS: usize = 500;

impl Analysis {
    /// Who can reach what under the policies that are analyzed.
    pub fn reach(&mut self, budget: &mut Budget<'_>) -> Reach {
        let (callers, more_callers) = self.callers();
        let (methods, more_methods) = self.regions(&Place::Method, &Field::Method, METHODS, |_| true);
        let (paths, more_paths) = self.regions(&Place::Path, &Field::Path, PATHS, |view| matches!(view, View::Path(_)));
        let mut reach = Reach { rows: Vec::new(), is_cut: more_callers || more_methods || more_paths };
        for caller in &callers {
            self.reach_of(caller, &methods, &paths, &mut reach, budget);
            if budget.is_over() || reach.rows.len() >= ROWS {
                reach.is_cut = true;
                break;
            }
        }
        reach
    }

    fn reach_of(
        &mut self,
        caller: &Region,
        methods: &[Region],
        paths: &[Region],
        reach: &mut Reach,
        budget: &mut Budget<'_>,
    ) {
        let all = (Reaching::All, Vec::new());
        let whole = self.row([caller, &all, &all], budget);
        if whole.access != Access::Sometimes {
            reach.rows.push(whole);
            return;
        }
        let before = reach.rows.len();
        for path in paths {
            let row = self.row([caller, &all, path], budget);
            match row.access {
                Access::Never => continue,
                Access::Sometimes if methods.len() > 1 => {}
                Access::Sometimes | Access::Always | Access::Unknown => {
                    reach.rows.push(row);
                    continue;
                }
            }
            let by_method: Vec<ReachRow> =
                methods.iter().map(|method| self.row([caller, method, path], budget)).collect();
            if by_method.iter().all(|of_method| of_method.access == row.access) {
                reach.rows.push(row);
            } else {
                reach.rows.extend(by_method.into_iter().filter(|of_method| of_method.access != Access::Never));
            }
            if budget.is_over() || reach.rows.len() >= ROWS {
                reach.is_cut = true;
                return;
            }
        }
        if reach.rows.len() == before {
            reach.rows.push(whole);
        }
    }

    fn row(&mut self, regions: [&Region; 3], budget: &mut Budget<'_>) -> ReachRow {
        let mut node = Some(Node::default());
        for answered in regions.iter().flat_map(|(_, answers)| answers) {
            node = node.and_then(|node| node.with(&self.space, *answered));
        }
        let [caller, method, path] = regions.map(|(part, _)| part.clone());
        let (passes, refused) = match &node {
            Some(node) => {
                let passes = self.find((node, &[]), Goal::Passes { side: NEW }, SECOND, budget);
                (given_up(passes), self.refused(NEW, node, budget))
            }
            None => (Ok(None), Ok(None)),
        };
        let access = match (&passes, &refused) {
            (Ok(None), _) => Access::Never,
            (Ok(Some(_)), Ok(None)) => Access::Always,
            (Ok(Some(_)), Ok(Some(_))) => Access::Sometimes,
            (Err(GaveUp), _) | (_, Err(GaveUp)) => Access::Unknown,
        };
        let (passes, refused) = (passes.unwrap_or_default(), refused.unwrap_or_default());
        ReachRow { caller, method, path, access, passes, refused }
    }

    /// The callers that rules tell apart, and whether there are more.
    fn callers(&mut self) -> (Vec<Region>, bool) {
        let (mut regions, is_cut) = self.regions(&Place::Peer, &Field::Principal, CALLERS, |_| true);
        if regions.len() > 1 {
            let named = self.space.question(&Field::Principal, PathParameters::Compared, &[Pattern::Present]);
            if let Some((_, answers)) = regions.last_mut() {
                answers.push((named, true));
            }
            regions.push((Reaching::Nameless, vec![(named, false)]));
        }
        (regions, is_cut)
    }

    /// The patterns that rules in force have for a place, and all that none of them matches. One region if there is no pattern.
    fn regions(
        &mut self,
        place: &Place,
        field: &Field,
        most: usize,
        is_it: impl Fn(&View) -> bool,
    ) -> (Vec<Region>, bool) {
        let Some(side) = self.sides.get(NEW) else { return (Vec::new(), false) };
        let rules = side.rules.iter().filter(|rule| rule.enforcement == Enforcement::Enforced);
        let asked = rules.flat_map(|rule| &rule.formula).flatten().flatten().filter_map(|literal| match literal {
            super::side::Literal::Asks((question, _)) => Some(*question),
            super::side::Literal::Always(_) => None,
        });
        let asked: BTreeSet<QuestionId> = asked.collect();
        let mut patterns: BTreeSet<(String, &'static str, Pattern, usize)> = BTreeSet::new();
        let mut views: Vec<View> = Vec::new();
        for question in asked.iter().filter_map(|number| self.space.get(*number)) {
            if self.space.places.get(question.place) != Some(place) || !is_it(&question.view) {
                continue;
            }
            let view = views.iter().position(|known| *known == question.view).unwrap_or_else(|| {
                views.push(question.view.clone());
                views.len() - 1
            });
            for pattern in question.patterns.iter() {
                let (of, text) = label(place, &question.view, pattern);
                patterns.insert((text, of, pattern.clone(), view));
            }
        }
        let is_cut = patterns.len() > most;
        let mut regions: Vec<Region> = Vec::new();
        let mut others: Vec<Answered> = Vec::new();
        for (text, of, pattern, view) in patterns.into_iter().take(most) {
            let Some(view) = views.get(view) else { continue };
            let is_all = pattern == Pattern::Present || pattern == Pattern::Any;
            let question = self.space.question_of(field, view, &[pattern]);
            if *place == Place::Peer || !is_all {
                regions.push((Reaching::Pattern { of, text }, vec![(question, true)]));
            }
            // That is every caller with a name.
            if !is_all {
                others.push((question, false));
            }
        }
        let rest = if regions.is_empty() { Reaching::All } else { Reaching::Others };
        regions.push((rest, others));
        (regions, is_cut)
    }
}

/// What a pattern is of, and how it is written.
fn label(place: &Place, view: &View, pattern: &Pattern) -> (&'static str, String) {
    let of = match (place, view) {
        (Place::Method, _) => "method",
        (Place::Path, _) => "path",
        (_, View::Namespace) => "namespace",
        (_, View::ServiceAccount) => "service account",
        (_, View::TrustDomain) => "trust domain",
        _ => "principal",
    };
    let text = written(pattern);
    let text = match view {
        // What follows `/ns/` is compared.
        View::Namespace => text.trim_end_matches("/*").to_owned(),
        _ => text,
    };
    (of, text)
}

/// A pattern as it is written in a policy.
fn written(pattern: &Pattern) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match pattern {
        Pattern::Exact(exact) => text(exact),
        Pattern::Prefix(prefix) => text(prefix) + "*",
        Pattern::Suffix(suffix) => format!("*{}", text(suffix)),
        Pattern::Present | Pattern::Any => "*".to_owned(),
        Pattern::Glob(glob) => glob.parts().map(text).collect::<Vec<_>>().join("*"),
        Pattern::Template(template) => template
            .parts()
            .map(|part| match part {
                TemplatePart::Literal(literal) => text(literal),
                TemplatePart::One => "{*}".to_owned(),
                TemplatePart::Rest => "{**}".to_owned(),
            })
            .collect(),
        Pattern::Cidr(cidr) => format!("{}/{}", cidr.address(), cidr.bits()),
    }
}
