//! Expressions in CEL that a core names: the host makes them when the configuration is loaded, and evaluates one only where
//! the core asks.

/// The type that an expression must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CelType {
    /// `bool`
    Bool,
    /// `int`. Numbers such as `connection.id` are `uint`: write `int(connection.id)`.
    Int,
    /// `double`
    Double,
    /// `string`
    String,
}

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum CelValue {
    /// Of [`CelType::Bool`].
    Bool(bool),
    /// Of [`CelType::Int`].
    Int(i64),
    /// Of [`CelType::Double`].
    Double(f64),
    /// Of [`CelType::String`]: any bytes, since header values may hold any.
    String(Box<[u8]>),
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CelError {
    /// The core has no expression of that number.
    Unknown,
    /// It was asked outside of the callbacks of a stream: in a tick, or about the answer to a callout.
    NoStream,
    /// The evaluation failed: an attribute was absent, or the value had another type.
    Failed,
}

/// An expression that a configuration holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The part of a composition that owns it.
    pub owner: u8,
    /// Where in the document it stands, such as `$.labels[0].value`.
    pub path: String,
    /// CEL as Envoy's attributes document it.
    pub text: String,
    /// The type that its value must have.
    pub ty: CelType,
    /// Whether the configuration is refused if the host refuses the expression. If not, that is a line in the log, and each
    /// evaluation fails.
    pub is_required: bool,
}

/// What evaluates expressions about the stream that a callback is for.
pub trait Expressions {
    /// Evaluates one; each part of a composition numbers its own from 0, in their order in [`crate::Filter::expressions`].
    ///
    /// # Errors
    /// See [`CelError`].
    fn evaluate(&self, owner: u8, number: usize) -> Result<CelValue, CelError>;
}
