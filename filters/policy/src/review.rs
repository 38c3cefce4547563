//! What there is to say of a document before a proxy has it.

use crate::config::Reading;
use crate::config::object::{Clause, Field, Object, Rule};
use crate::{Protocol, filter, tcp};
use weir_config::{Common, read_document};
use weir_matching::Pattern;
use weir_model::{Node, Problems, Warning};

/// A sound document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Review {
    /// What is doubtful of it.
    pub warnings: Vec<Warning>,
    /// How many rules it has that can match.
    pub rules: usize,
    /// Those of them that are tried on every request, each as `NAMESPACE/POLICY[INDEX]`: no positive value of theirs is
    /// one that some requests have and others do not, so no value of a request leads to them alone.
    pub always_tried: Vec<String>,
}

/// What is wrong with a policy document, or doubtful, and which of its rules every request is checked against. Of policies
/// for another workload [`Filter::compile`](weir_model::Filter::compile) reads no more than their scope; with
/// [`Reading::All`] each is read in full, and what only a workload can tell, such as whether a policy applies to it, is left
/// out.
///
/// ```
/// use weir_model::Node;
/// use weir_policy::{Protocol, Reading, review};
///
/// let document = br#"{"schema": 1, "name": "cart", "policies": [{
///     "kind": "AuthorizationPolicy", "metadata": {"name": "reads", "namespace": "shop"},
///     "spec": {"rules": [
///         {"to": [{"operation": {"paths": ["/items/*"], "notMethods": ["POST"]}}]},
///         {"to": [{"operation": {"notMethods": ["POST"]}}]}
///     ]}
/// }]}"#;
/// let found = review(Protocol::Http, document, &Node::default(), Reading::All)?;
/// assert_eq!((found.rules, found.always_tried), (2, vec!["shop/reads[1]".to_owned()]));
/// # Ok::<(), weir_model::Problems>(())
/// ```
///
/// # Errors
/// All problems of the document.
pub fn review(protocol: Protocol, document: &[u8], node: &Node, reading: Reading) -> Result<Review, Problems> {
    read_document(document, |at| {
        let mut fields = at.object()?;
        let common = Common::read(&mut fields);
        let document = match protocol {
            Protocol::Http => filter::read(fields, common, node, reading)?,
            Protocol::Tcp => tcp::read(fields, common, node, reading)?,
        };
        let mut review = Review { warnings: at.take_warnings(), ..Review::default() };
        document.objects.iter().for_each(|object| review.add(object));
        Some(review)
    })
}

impl Review {
    fn add(&mut self, object: &Object) {
        let rules = || object.rules.iter().filter(|rule| !rule.is_skipped);
        self.rules += rules().count();
        let always = rules().filter(|rule| is_always_tried(rule));
        let name = |rule: &Rule| format!("{}/{}[{}]", object.namespace, object.name, rule.index);
        self.always_tried.extend(always.map(name));
    }
}

/// Whether the rule has no part in which every item asks for something that tells requests apart: then its anchors in the
/// index, if it has any, are what every request hits.
fn is_always_tried(rule: &Rule) -> bool {
    !rule.all_of.iter().any(|part| !part.is_empty() && part.iter().all(|item| item.iter().any(tells_apart)))
}

/// Whether some requests have what a clause asks for, and others do not, and the index knows it: what an expression comes to is
/// not known before a rule asks for it.
fn tells_apart(clause: &Clause) -> bool {
    let is_expression = matches!(clause.field, Field::Cel(_));
    !clause.negated && !is_expression && !clause.values.iter().any(|value| is_in_every_request(&clause.field, value))
}

/// Every request has a method, an authority, and a path that begins with a slash; only that of `OPTIONS *` does not.
fn is_in_every_request(field: &Field, value: &Pattern) -> bool {
    match (field, value) {
        (Field::Path | Field::Host | Field::Method, Pattern::Present | Pattern::Any) => true,
        (Field::Header(name), Pattern::Present | Pattern::Any) => **name == *":authority",
        (Field::Path, Pattern::Prefix(start)) => **start == *b"/",
        _ => false,
    }
}

#[cfg(test)]
mod tests;
