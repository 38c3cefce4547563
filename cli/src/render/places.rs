//! Where the parts of a composed document are from, so that what is wrong with it is said of the operator's own files.

use super::document::SECTIONS;
use crate::compile::Module;
use crate::diagnostic::Diagnostic;
use crate::tree::Origin;

/// The places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// By the path of the part in a document of the suite, such as `$.rateLimit.local.config`.
    parts: Vec<(String, Origin)>,
    /// Those of the policies, in their order in the document.
    policies: Vec<Origin>,
}

impl Places {
    /// Notes where a part is from.
    pub(crate) fn add(&mut self, path: String, origin: Origin) {
        self.parts.push((path, origin));
    }

    /// Notes where the policies are from.
    pub(crate) fn set_policies(&mut self, origins: Vec<Origin>) {
        self.policies = origins;
    }

    /// The line for something that is said of a path in the document of a module. `None` if no file has that part.
    pub(crate) fn line(&self, module: Module, path: &str, diagnostic: &Diagnostic) -> Option<String> {
        let section = SECTIONS.iter().find(|(_, of)| *of == module).map(|(name, _)| *name);
        let rest = path.strip_prefix('$')?;
        let path = section.map_or_else(|| path.to_owned(), |section| format!("$.{section}{rest}"));
        let (origin, rest) = self.policy(&path).or_else(|| {
            let within =
                |part: &str| path.strip_prefix(part).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
            let parts = self.parts.iter().filter_map(|(part, origin)| Some((part, origin, within(part)?)));
            let (_, origin, rest) = parts.max_by_key(|(part, ..)| part.len())?;
            Some((origin, rest))
        })?;
        Some(origin.line(Diagnostic { path: format!("${rest}"), at: None, ..diagnostic.clone() }))
    }

    /// The policy that a path is in, and the rest of it.
    fn policy<'p>(&self, path: &'p str) -> Option<(&Origin, &'p str)> {
        let rest = path.strip_prefix("$.policy.policies")?;
        let (number, rest) = rest.strip_prefix("Gzip").unwrap_or(rest).strip_prefix('[')?.split_once(']')?;
        Some((self.policies.get(number.parse::<usize>().ok()?)?, rest))
    }
}
