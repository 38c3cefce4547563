//! Expressions that the host keeps: those of attribute lists, and those that a core names.

use crate::abi;
use weir_model::{CelError, CelType, CelValue, Expression, Expressions, Problem, Problems, Warning};

/// An expression that the host keeps.
#[derive(Debug)]
pub(crate) struct Token(Box<[u8]>);

impl Token {
    pub(crate) fn new(expression: &str) -> Option<Self> {
        abi::foreign_function("expr_create", expression.as_bytes()).ok().map(Self)
    }

    pub(crate) fn evaluate(&self) -> Option<Box<[u8]>> {
        abi::foreign_function("expr_evaluate", &self.0).ok()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // An expression that cannot be deleted is gone already.
        let _ = abi::foreign_function("expr_delete", &self.0);
    }
}

/// The expressions of a core, made by the host: the owner of each, its type, and its token unless the host refused it.
#[derive(Debug, Default)]
pub(crate) struct Compiled(Vec<(u8, CelType, Option<Token>)>);

impl Compiled {
    /// Has the host make them.
    ///
    /// # Errors
    /// The problems of those that the host refuses and that are required.
    pub(crate) fn new(expressions: &[Expression]) -> Result<Self, Problems> {
        let (mut made, mut refused) = (Vec::new(), Vec::new());
        for Expression { owner, path, text, ty, is_required } in expressions {
            // The text is compiled alone first, because it could close the parenthesis that is put around it.
            let token = Token::new(text).and_then(|_| Token::new(&typed(text, *ty)));
            if token.is_none() {
                let (path, message) = (path.clone(), refusal(text));
                match is_required {
                    true => refused.push(Problem { path, message }),
                    false => log::warn!("weir: {}", Warning { id: "quarantined", path, message }),
                }
            }
            made.push((*owner, *ty, token));
        }
        if refused.is_empty() { Ok(Self(made)) } else { Err(Problems(refused)) }
    }
}

fn refusal(text: &str) -> String {
    const SHOWN: usize = 200;
    let shown: String = text.chars().take(SHOWN).collect();
    let rest = if shown.len() < text.len() { "..." } else { "" };
    format!(
        "Envoy cannot make an expression of `{shown}{rest}`: it is not CEL, is nested too deeply, or calls a function that Envoy does not have"
    )
}

/// An expression that fails unless its value has the type. The host hands a value over as bytes without a type. The
/// line break ends a comment.
fn typed(text: &str, ty: CelType) -> String {
    match ty {
        CelType::Bool => format!("({text}\n)?true:false"),
        CelType::Int => format!("({text}\n)+0"),
        CelType::Double => format!("({text}\n)+0.0"),
        CelType::String => format!("({text}\n)+''"),
    }
}

fn value(ty: CelType, bytes: Box<[u8]>) -> Option<CelValue> {
    Some(match ty {
        CelType::Bool => match *bytes {
            [0] => CelValue::Bool(false),
            [1] => CelValue::Bool(true),
            _ => return None,
        },
        CelType::Int => CelValue::Int(i64::from_le_bytes((*bytes).try_into().ok()?)),
        CelType::Double => CelValue::Double(f64::from_le_bytes((*bytes).try_into().ok()?)),
        CelType::String => CelValue::String(bytes),
    })
}

impl Expressions for Compiled {
    fn evaluate(&self, owner: u8, number: usize) -> Result<CelValue, CelError> {
        let mut own = self.0.iter().filter(|(of, ..)| *of == owner);
        let (_, ty, token) = own.nth(number).ok_or(CelError::Unknown)?;
        let bytes = token.as_ref().and_then(Token::evaluate);
        bytes.and_then(|bytes| value(*ty, bytes)).ok_or(CelError::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_testing::Rows;

    #[test]
    fn values_are_read_by_their_types() {
        let int = |number: i64| number.to_le_bytes().to_vec();
        let mut rows = Rows::default();
        for (ty, bytes, read) in [
            (CelType::Bool, vec![1], Some(CelValue::Bool(true))),
            (CelType::Bool, vec![0], Some(CelValue::Bool(false))),
            (CelType::Bool, vec![2], None),
            (CelType::Bool, int(1), None),
            (CelType::Int, int(-7), Some(CelValue::Int(-7))),
            (CelType::Int, vec![1], None),
            (CelType::Double, 0.5f64.to_le_bytes().to_vec(), Some(CelValue::Double(0.5))),
            (CelType::Double, vec![], None),
            (CelType::String, b"\xff".to_vec(), Some(CelValue::String(b"\xff".as_slice().into()))),
            (CelType::String, vec![], Some(CelValue::String(Box::default()))),
        ] {
            rows.check(format!("{ty:?} {bytes:?}"), value(ty, bytes.clone().into()), read);
        }
    }

    // Outside a host no expression can be made.
    #[test]
    fn each_refused_expression_is_a_problem_with_its_path() {
        let expression = |path: &str| Expression {
            owner: 0,
            path: path.to_owned(),
            text: "1".to_owned(),
            ty: CelType::Int,
            is_required: true,
        };
        let problems = Compiled::new(&[expression("$.a"), expression("$.b")]).err().map(|problems| problems.0);
        let paths: Vec<_> = problems.iter().flatten().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["$.a", "$.b"]);
        assert_eq!(Compiled::default().evaluate(0, 0), Err(CelError::Unknown));
    }
}
