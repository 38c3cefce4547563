//! Authorization: Istio AuthorizationPolicy compiled, indexed, decided and explained.
//!
//! A policy goes through three stages. *As written*: Kubernetes objects, read strictly, all problems at once (`read`).
//! *Compiled*: the rules that apply to this workload, in the order of Envoy's policy ids, each a list of tests that equal
//! rules share, with an index over them (`compile`). *Running*: the values of one request and what the tests said about
//! them (`request`, `evaluate`). A [`Decision`] names the policy and rule that made it.
//!
//! Semantics: Istio's AuthorizationPolicy reference and `pilot/pkg/security/authz`, Envoy's RBAC filter.

mod compile;
mod decision;
mod evaluate;
mod field;
mod filter;
mod object;
mod read;
mod report;
mod request;
mod trust_domain;
mod workload;

pub use decision::{Decision, Decisions, Reason, RuleName};
pub use filter::Policy;
pub use trust_domain::TrustDomains;
