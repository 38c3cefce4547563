//! What happens when a module cannot be had or its VM dies: one choice for each module and form, with its reason.
//!
//! | document | form | choice | why |
//! | --- | --- | --- | --- |
//! | enforces a policy | any | FAIL_RELOAD | a failed pull denies under FAIL_CLOSE too, and only FAIL_RELOAD makes a new VM after a trap |
//! | any other | module from a registry | FAIL_OPEN | under FAIL_RELOAD a failed pull would deny every request |
//! | any other | module from a file | FAIL_RELOAD | nothing is pulled, and FAIL_OPEN would leave limits and metrics off after a trap until the next change |
//!
//! Envoy Gateway knows `failOpen` alone: `false` for the first row and `true` for the others. It never makes a new VM.

use super::form::Form;

/// Whether requests pass without the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// They pass; after a trap for good.
    Open,
    /// They are refused until there is a new VM.
    Reload,
}

impl Failure {
    /// The choice for a document that enforces a policy or does not, and a module that is pulled from a registry or not.
    pub(crate) fn of(enforces_policy: bool, is_pulled: bool) -> Self {
        match (enforces_policy, is_pulled) {
            (false, true) => Self::Open,
            (true, _) | (false, false) => Self::Reload,
        }
    }

    /// The word of Envoy's `failure_policy` and of Istio's `failStrategy`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Open => "FAIL_OPEN",
            Self::Reload => "FAIL_RELOAD",
        }
    }

    /// The sentence for the operator who applies it.
    pub(crate) fn reason(self, form: Form, enforces_policy: bool) -> &'static str {
        match self {
            Self::Open if form == Form::EnvoyGateway => {
                "failOpen: true: requests pass after a trap, until the next change; nothing is limited or counted then"
            }
            Self::Reload if form == Form::EnvoyGateway => {
                "failOpen: false: after a trap requests are refused until the next change, as Envoy Gateway makes no new VM"
            }
            Self::Reload if form == Form::Envoy => {
                "FAIL_RELOAD: after a trap requests are refused until there is a new VM, after about a second; without the \
                 module's file Envoy does not start"
            }
            Self::Reload if form == Form::EnvoyFilter && !enforces_policy => {
                "FAIL_RELOAD: after a trap requests are refused until there is a new VM, after about a second; if the module \
                 cannot be had, every request passes, and nothing is limited or counted"
            }
            Self::Open => {
                "FAIL_OPEN: requests pass if the image cannot be pulled, and after a trap until the next change; nothing is \
                 limited or counted then"
            }
            Self::Reload => {
                "FAIL_RELOAD: after a trap requests are refused until there is a new VM, after about a second; if the module \
                 cannot be had, every request is refused"
            }
        }
    }
}
