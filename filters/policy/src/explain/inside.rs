//! What an analysis takes from an explainer: its rules as written and as compiled, and what decides.

use super::{Considered, Explainer};
use crate::RuleName;
use crate::compiled::Compiled;
use crate::config::object::Object;
use crate::custom::Custom;
use crate::decide::Scratch;
use weir_matching::PathParameters;

impl Explainer {
    /// The provider that CUSTOM policies ask; `None` if there is no such policy, or no provider.
    pub fn asked_provider(&mut self) -> Option<String> {
        let (.., custom) = self.parts();
        custom.and_then(Custom::asked).map(str::to_owned)
    }

    /// The rules that ask for expressions in CEL. An [`Analysis`](crate::Analysis) takes each expression for any outcome.
    pub fn rules_with_expressions(&mut self) -> Vec<RuleName<'_>> {
        let (compiled, ..) = self.parts();
        compiled.expressions.rules.iter().filter_map(|number| compiled.rule_name(*number)).collect()
    }

    /// What deciding needs, the memory of the last request, and the providers that CUSTOM policies ask.
    pub(crate) fn parts(&mut self) -> (&Compiled, &mut Scratch, Option<&Custom>) {
        let (compiled, scratch, custom, _) = self.policy.parts();
        (compiled, scratch, custom)
    }

    /// Every policy that is for the workload, with the numbers of its rules in the compiled policies, [`u32::MAX`] for one that
    /// is skipped.
    pub(crate) fn considered(&self) -> impl Iterator<Item = (&Object, &[u32])> {
        self.objects.iter().map(|Considered { object, numbers, .. }| (object, numbers.as_slice()))
    }

    pub(crate) fn path_parameters(&mut self) -> PathParameters {
        self.parts().0.path_parameters
    }

    /// What a provider's answer comes to depends on; `None` if there is no provider.
    pub(crate) fn provider_content(&mut self) -> Option<String> {
        let (.., custom) = self.parts();
        custom.filter(|custom| custom.asked().is_some()).map(Custom::content)
    }
}
