//! What a workload's trust domain and its aliases make of the values of a policy
//! (`pilot/pkg/security/trustdomain`).

/// The trust domain first, then its aliases. Empty where a test gives none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bundle(pub(crate) Vec<String>);

impl Bundle {
    /// `ReplaceTrustDomainAliases`: values of `principals` and `source.principal`.
    pub(crate) fn replace_aliases(&self, principals: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        for principal in principals {
            let domain = match principal.split('/').collect::<Vec<_>>()[..] {
                [domain, _, _, _, _] if domain != "*" => domain,
                _ => {
                    out.push(principal.clone());
                    continue;
                }
            };
            if self.knows(domain) || domain == "cluster.local" {
                out.extend(self.replaced(principal, domain));
            } else {
                out.push(principal.clone());
            }
        }
        out
    }

    /// `ExpandTrustDomainAliases`: values of `trustDomains` and `source.trustDomain`.
    pub(crate) fn expand_aliases(&self, domains: &[String]) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for domain in domains {
            let all = if self.0.contains(domain) { self.0.clone() } else { vec![domain.clone()] };
            for domain in all {
                if !out.contains(&domain) {
                    out.push(domain);
                }
            }
        }
        out
    }

    /// `replaceTrustDomains`
    fn replaced(&self, principal: &str, domain: &str) -> Vec<String> {
        let rest = &principal[domain.len()..];
        let mut out: Vec<String> = Vec::new();
        for ours in &self.0 {
            let new = if suffix_match(ours, domain) { principal.to_owned() } else { format!("{ours}{rest}") };
            if !out.contains(&new) {
                out.push(new);
            }
        }
        out
    }

    /// `stringMatch`: the pattern may be on either side.
    fn knows(&self, domain: &str) -> bool {
        self.0.iter().any(|ours| {
            domain == ours
                || ours == "*"
                || prefix_match(domain, ours)
                || prefix_match(ours, domain)
                || suffix_match(domain, ours)
                || suffix_match(ours, domain)
        })
    }
}

fn prefix_match(text: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').is_some_and(|prefix| text.starts_with(prefix))
}

fn suffix_match(text: &str, pattern: &str) -> bool {
    pattern.strip_prefix('*').is_some_and(|suffix| text.ends_with(suffix))
}
