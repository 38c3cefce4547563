//! Authorization: Istio AuthorizationPolicy compiled, indexed, decided and explained.
//!
//! A policy goes through three stages. *As written*: Kubernetes objects, read strictly, all problems at once (`config`).
//! *Compiled*: the rules that apply to this workload, in the order of Envoy's policy ids, over patterns that all rules
//! share, with an index that says which rules can match (`compiled`). *Decided*: the patterns that one request's values
//! match, and what the rules make of them (`decide`). A [`Decision`] names the policy and rule that made it, and an [`Explanation`]
//! what every clause of every rule says.
//!
//! Semantics: Istio's AuthorizationPolicy reference and `pilot/pkg/security/authz`, Envoy's RBAC filter.

mod analyze;
mod audit;
mod compiled;
mod conditions;
mod config;
mod custom;
mod decide;
mod decision;
mod demand;
mod dynamic;
mod explain;
mod filter;
mod fraction;
mod metrics;
mod observe;
mod review;
mod single_header;
mod stream;
mod tcp;

pub use analyze::{
    Access, Analysis, Budget, Decided, Difference, Differences, Effect, Everybody, Everywhere, ExampleRequest, GaveUp,
    PolicyMeaning, Reach, ReachRow, Reaching, RuleId, RuleMeaning, RuleVerdict, Why,
};
pub use config::Reading;
pub use config::packed::unpack;
pub use config::trust_domain::TrustDomains;
pub use decision::{Decision, Decisions, Reason, RuleName, ShadowDecision};
pub use explain::{
    Answer, Answers, CelOutcome, ClauseOutcome, Explainer, Explanation, ItemOutcome, Knowledge, Missing, MissingSet,
    Outcome, PartOutcome, PolicyOutcome, RequestField, RuleOutcome, Shadow, Verdict, VerdictId,
};
pub use filter::Policy;
pub use review::{Review, review};
pub use single_header::is_single_header;
pub use stream::Stream;
pub use tcp::{Protocol, TcpPolicy};
