//! What policies say of a connection that is not HTTP. It has no request, and Istio leaves out what only a request has
//! (`BuildTCP` of `pilot/pkg/security/authz/builder`, `generatePermission` of `.../model`): a rule of ALLOW that asks for it is
//! skipped as a whole, so that it allows less; a rule of any other action loses that field, so that it matches more.

use super::object::{Action, AnyOf, Field, Item, Object, Rule};
use weir_config::Cursor;

impl Field {
    /// Whether only a request has it. Dynamic metadata of other filters is a connection's too.
    pub(crate) fn is_http_only(&self) -> bool {
        match self {
            Self::Path | Self::Host | Self::Method | Self::Header(_) | Self::RequestPrincipal | Self::Claim(_) => true,
            Self::Principal | Self::Namespace | Self::ServiceAccount | Self::TrustDomain => false,
            Self::DirectAddress | Self::RemoteAddress | Self::DestinationAddress | Self::DestinationPort => false,
            Self::ServerName | Self::Metadata { .. } => false,
            // Where it fails for lack of a request, that comes to the same.
            Self::Cel(_) => false,
        }
    }
}

impl Rule {
    /// Whether it asks for something that only a request has.
    pub(crate) fn has_http_only(&self) -> bool {
        self.all_of.iter().flatten().flatten().any(|clause| clause.field.is_http_only())
    }

    /// Whether it holds without looking at anything.
    fn is_empty(&self) -> bool {
        self.all_of.iter().all(|part| part.iter().any(|item| item.is_empty()))
    }

    fn without_http_only(&self) -> Self {
        let item = |item: &Item| item.iter().filter(|clause| !clause.field.is_http_only()).cloned().collect::<Item>();
        let part = |part: &AnyOf| part.iter().map(item).collect::<AnyOf>();
        Self { all_of: self.all_of.iter().map(part).collect(), ..*self }
    }
}

/// Leaves out of `objects` what only a request has. Warnings at `at` say what that comes to.
#[inline(never)]
pub(crate) fn leave_out(objects: &mut [Object], at: &Cursor<'_>) {
    let (mut skipped, mut widened, mut refusing) = (Named::default(), Named::default(), Named::default());
    let mut failing = Named::default();
    for object in objects.iter_mut() {
        let name = || format!("{}/{}", object.namespace, object.name);
        let is_failing = |rule: &&Rule| {
            let mut clauses = rule.all_of.iter().flatten().flatten();
            clauses.any(|clause| matches!(&clause.field, Field::Cel(cel) if cel.asks_request))
        };
        object.rules.iter().filter(is_failing).for_each(|_| failing.add(name));
        for rule in object.rules.iter_mut().filter(|rule| rule.has_http_only()) {
            if object.action == Action::Allow {
                *rule = Rule { all_of: Box::default(), is_skipped: true, ..*rule };
                skipped.add(name);
                continue;
            }
            *rule = rule.without_http_only();
            if object.action == Action::Audit {
                // It refuses nothing.
                continue;
            }
            if rule.is_empty() && !object.dry_run { refusing.add(name) } else { widened.add(name) }
        }
    }
    if let Some(names) = skipped.text() {
        let message = format!(
            "a connection has no request: rules of ALLOW policies that ask for one are skipped, as in Istio, and allow \
             nothing ({names})"
        );
        at.warning("http-only-allow", message);
    }
    if let Some(names) = widened.text() {
        let message = format!(
            "a connection has no request: rules of DENY policies are asked without what only a request has, as in Istio, \
             and match more ({names})"
        );
        at.warning("http-only-deny", message);
    }
    if let Some(names) = failing.text() {
        let message = format!(
            "a connection has no request: an expression that needs `request` fails, which matches in a DENY policy and not in an \
             ALLOW policy ({names})"
        );
        at.warning("cel-absent", message);
    }
    if let Some(names) = refusing.text() {
        let message = format!(
            "every connection is refused: without what only a request has nothing is left of a DENY rule, as in Istio \
             ({names}); if that is not meant, add `ports` to the rule, or a selector to the policy"
        );
        at.warning("deny-all-connections", message);
    }
}

/// The first policy of a kind, and how many rules there are.
#[derive(Default)]
struct Named {
    first: String,
    count: usize,
}

impl Named {
    fn add(&mut self, name: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = name();
        }
        self.count += 1;
    }

    /// What a warning says of them; `None` if there are none.
    fn text(self) -> Option<String> {
        match self.count {
            0 => None,
            1 => Some(format!("one rule, of `{}`", self.first)),
            count => Some(format!("{count} rules, the first of `{}`", self.first)),
        }
    }
}

#[cfg(test)]
mod tests;
