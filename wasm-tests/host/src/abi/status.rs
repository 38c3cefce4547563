//! Statuses of hostcalls, and how a hostcall ends early: with a status, or with a trap.

/// `WasmResult` of proxy-wasm-cpp-host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the specification")]
pub enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    SerializationFailure = 3,
    ParseFailure = 4,
    BadExpression = 5,
    InvalidMemoryAccess = 6,
    Empty = 7,
    CasMismatch = 8,
    ResultMismatch = 9,
    InternalFailure = 10,
    BrokenConnection = 11,
    Unimplemented = 12,
}

/// How a hostcall ends when it does not end with `Ok`.
pub(crate) enum Fault {
    /// The module sees this status.
    Status(Status),
    /// Real Envoy ends here, whole process and all.
    Crash(&'static str),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Fault::Status(status)
    }
}

/// What the body of a hostcall returns.
pub(crate) type Outcome = Result<(), Fault>;
