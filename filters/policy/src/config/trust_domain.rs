//! Trust domains that count as one: the mesh's own and its aliases (Istio's `trustdomain/bundle.go`).

/// The name that stands for the mesh's own trust domain in any mesh.
const LOCAL: &str = "cluster.local";

/// The mesh's trust domain, then its aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustDomains(Vec<String>);

impl TrustDomains {
    /// The mesh's trust domain and its aliases, in their order.
    pub fn new(own: &str, aliases: &[&str]) -> Self {
        Self(std::iter::once(own).chain(aliases.iter().copied()).map(str::to_owned).collect())
    }

    /// The trust domains that a policy's `domain` stands for: all of them if it is exactly one of them, else itself.
    /// `cluster.local` is nothing special here.
    pub fn expand_domain<'d>(&'d self, domain: &'d str) -> impl Iterator<Item = &'d str> {
        let known = self.0.iter().any(|known| known == domain);
        let (all, itself) = if known { (self.0.as_slice(), None) } else { (&[][..], Some(domain)) };
        all.iter().map(String::as_str).chain(itself)
    }

    /// The principals that a policy's `principal` stands for. One that names a trust domain of these, or
    /// `cluster.local`, stands for the same account in each of them; any other for itself.
    #[inline(never)]
    pub fn expand(&self, principal: &str) -> Vec<String> {
        let mut parts = principal.split('/');
        let domain = parts.next().unwrap_or_default();
        if parts.count() != 4 || domain == "*" {
            return vec![principal.to_owned()];
        }
        if domain != LOCAL && !self.0.iter().any(|known| is_alike(domain, known)) {
            return vec![principal.to_owned()];
        }
        let account = principal.strip_prefix(domain).unwrap_or_default();
        let mut expanded = Vec::new();
        for known in &self.0 {
            let each = if is_suffix(domain, known) { principal.to_owned() } else { format!("{known}{account}") };
            if !expanded.contains(&each) {
                expanded.push(each);
            }
        }
        expanded
    }
}

/// Whether one is the other, or a pattern for it.
fn is_alike(a: &str, b: &str) -> bool {
    a == b || is_prefix(a, b) || is_prefix(b, a) || is_suffix(a, b) || is_suffix(b, a)
}

fn is_prefix(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').is_some_and(|prefix| text.starts_with(prefix))
}

fn is_suffix(pattern: &str, text: &str) -> bool {
    pattern.strip_prefix('*').is_some_and(|suffix| text.ends_with(suffix))
}

#[cfg(test)]
mod tests;
