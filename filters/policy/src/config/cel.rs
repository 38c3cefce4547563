//! Conditions with the key `cel`, whose values are expressions: the one thing in a rule that Istio does not have.
//!
//! Each expression is a field of its own, so that rules that ask for the same share it, and what is made of a list of them
//! is what is made of a list of items: one of `values` must hold, and none of `notValues`.

mod scan;
#[cfg(test)]
mod tests;

use super::object::{AnyOf, Clause, Field, Item};
use super::values::Context;
use scan::Seen;
use std::fmt;
use weir_config::{Cursor, Fields};
use weir_matching::{Names, Pattern};

/// The key of such a condition.
pub(super) const KEY: &str = "cel";

/// The most bytes of an expression.
pub(crate) const LENGTH: usize = 4096;

/// The most different expressions of a plugin. Envoy compiles each in every VM.
pub(crate) const EXPRESSIONS: usize = 256;

/// An expression. Equal texts are the same one.
#[derive(Clone)]
pub(crate) struct Cel {
    pub(crate) text: Box<str>,
    /// Where it stands first.
    pub(crate) path: Box<str>,
    /// It names `request`, which a connection does not have.
    pub(crate) asks_request: bool,
}

impl PartialEq for Cel {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cel {}

/// Where it stands makes no difference between two.
impl fmt::Debug for Cel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// Reads `values` and `notValues` of a condition with this key.
#[inline(never)]
pub(super) fn condition(at: &Cursor<'_>, mut fields: Fields<'_>, context: &Context<'_>) -> AnyOf {
    let mut is_given = false;
    let [holding, failing] = [("values", false), ("notValues", true)].map(|(name, negated)| {
        let Some(at) = fields.take(name) else { return Vec::new() };
        is_given |= !super::rule::is_empty(&at);
        clauses(&at, negated, context)
    });
    if !is_given {
        at.problem::<()>(super::rule::NO_VALUE);
    }
    fields.finish();
    let item = |first: Option<&Clause>| {
        let mut all = Vec::with_capacity(failing.len().saturating_add(1));
        all.extend(first.cloned());
        all.extend_from_slice(&failing);
        Item::from(all)
    };
    match holding.as_slice() {
        [] => [item(None)].into(),
        holding => holding.iter().map(|clause| item(Some(clause))).collect(),
    }
}

/// Reads a list of expressions; none of them where one cannot be read and all are left out.
fn clauses(at: &Cursor<'_>, negated: bool, context: &Context<'_>) -> Vec<Clause> {
    let before = at.problems();
    let clause = |cel| Clause { field: Field::Cel(cel), negated, values: [Pattern::Any].into() };
    let read = at.each(|at| expression(&at, context).map(clause));
    let is_left_out = context.on_invalid.widens() && at.problems() > before;
    if is_left_out { Vec::new() } else { read }
}

#[inline(never)]
fn expression(at: &Cursor<'_>, context: &Context<'_>) -> Option<Cel> {
    let text = at.text()?;
    if text.len() > LENGTH {
        return at.problem(format!("an expression has at most {LENGTH} bytes"));
    }
    let Seen { headers, request, response, presence, is_nested } = scan::scan(text);
    if is_nested {
        return at.problem(
            "`all`, `exists`, `exists_one`, `map` and `filter` may not be inside of one another: Envoy sets no limit to \
             what they take, and clients choose how many headers there are",
        );
    }
    if headers {
        let message = "an expression has the values of a header that is sent several times as one, joined by commas: a client can \
                       add one; a condition on `request.headers[NAME]` compares each value alone";
        at.warning("cel-joined-headers", message);
    }
    if headers && !presence && context.denies {
        let message = "a request without the header makes the expression fail, which matches in a DENY policy and refuses it; \
                       begin with `'NAME' in request.headers &&` if that is not meant";
        at.warning("cel-header-absent", message);
    }
    if response {
        let message = "`response` is not there yet when policies decide: an expression that needs it fails, which matches in a \
                       DENY policy and not in an ALLOW policy";
        at.warning("cel-absent", message);
    }
    Some(Cel { text: text.into(), path: at.path().into(), asks_request: request })
}

/// Warns of a rule that is tried on every request because it asks for nothing but expressions.
#[inline(never)]
pub(super) fn warn_of_rule(at: &Cursor<'_>, all_of: &[AnyOf]) {
    let is_plain = |clause: &Clause| !matches!(clause.field, Field::Cel(_));
    let leads_to = |part: &AnyOf| part.iter().all(|item| item.iter().any(|clause| is_plain(clause) && !clause.negated));
    let has_cel = all_of.iter().flatten().flatten().any(|clause| !is_plain(clause));
    if has_cel && !all_of.iter().any(leads_to) {
        let message = "no path, host, method or other value leads to this rule, so its expression is evaluated for every request \
                       that nothing else decides; add what the expression asks for anyway, such as `to` with a path";
        at.warning("cel-every-request", message);
    }
}

/// How many different expressions there are. More than a plugin can have are a problem.
#[inline(never)]
pub(super) fn count<'c>(at: &Cursor<'_>, clauses: impl Iterator<Item = &'c Clause>) -> usize {
    let mut texts = Names::default();
    for clause in clauses {
        if let Field::Cel(cel) = &clause.field {
            texts.intern(cel.text.as_bytes());
        }
    }
    if texts.len() > EXPRESSIONS {
        at.problem::<()>(format!(
            "rules look at {} different expressions: at most {EXPRESSIONS} are possible",
            texts.len()
        ));
    }
    texts.len()
}
