//! Host, path, CIDR and identity patterns, and the index over many rules.
//!
//! Everything works on bytes: what a client sends need not be UTF-8. A [`Pattern`] answers one question about one value.
//! [`Patterns`] holds those of thousands of rules and says which of them a value matches, and a [`RuleIndex`] names the
//! few rules that can match at all. The index never decides: the caller verifies each candidate in full.

mod bits;
mod cidr;
mod host;
mod identity;
mod names;
mod path;
mod patterns;
mod rules;
mod sort;
mod table;
mod template;
mod text;
mod trie;

pub use bits::BitSet;
pub use cidr::{Cidr, socket_address};
pub use host::normalized_host;
pub use identity::{SPIFFE_ID_BYTES, after_namespace_marks, has_few_marks, service_accounts, trust_domain};
pub use names::{NameMap, Names};
pub use path::{PathParameters, query, without_query};
pub use patterns::Patterns;
pub use rules::{Candidates, Postings, RuleIndex, RuleKeys};
pub use sort::{sort, sort_by};
pub use template::{Template, TemplateError, TemplatePart, is_segment_byte};
pub use text::{Glob, Pattern};
