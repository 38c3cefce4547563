//! Plain data every crate meets at.
//!
//! A core (policy, rate limit, telemetry) takes these values and returns these values. It never names an ABI, so it is
//! tested on the host without a mock of Envoy; the shell (`weir-shell`) is the only crate that turns them into hostcalls.
//! The path of a stream through a core is: compile a configuration, say what each phase demands, get exactly that as
//! [`Facts`], return a [`Verdict`], leave [`Effects`] behind.

mod attribute;
mod callbacks;
mod callout;
mod cells;
mod demand;
mod direction;
mod edited;
mod effects;
mod expression;
mod facts;
mod filter;
mod node;
mod problem;
mod sorted;
mod tcp;
mod time;
mod verdict;

pub use attribute::{Attribute, BUILTIN_ATTRIBUTES};
pub use callbacks::{Callbacks, Need};
pub use callout::{
    ANSWER_LIMIT, Answer, CallFailure, CallId, Callout, GrpcCallout, GrpcTarget, HttpCallout, Resumption,
};
pub use cells::{CellError, Cells, Expect, MemoryCells, RETRIES, agree, next_number};
pub use demand::{Demand, Phase};
pub use direction::Direction;
pub use edited::{EditedHeaders, Kept, is_header_name, is_header_value};
pub use effects::{Edits, Effects, HeaderEdit, Level, MetricKind, MetricOp, Offer, SeriesId, Spent};
pub use expression::{CelError, CelType, CelValue, Expression, Expressions};
pub use facts::{Attributes, Facts, Headers, PairsBuilder};
pub use filter::{Filter, Io, Late};
pub use node::{EnvoyVersion, Node, ProxyKind, Struct, StructValue};
pub use problem::{Problem, Problems, Warning};
pub use sorted::{SortedMap, SortedSet};
pub use tcp::{ClosedBy, Data, Side, TCP_ROOT_ID, TcpCallbacks, TcpFilter, TcpPhase, TcpVerdict};
pub use time::Now;
pub use verdict::{Reply, Verdict};
