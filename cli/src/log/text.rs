//! Formats of text: operators with literals between them.
//!
//! Values are not escaped in text, so a client may send what looks like the literals. A line that can be taken apart in two
//! ways is refused: the first way finds each literal as early as can be, the second as late, and where both find the same
//! there is no third.

use super::operator::Operator;

/// A format of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextFormat {
    /// What stands before the first operator.
    before: Box<[u8]>,
    /// Each operator, and what stands behind it.
    operators: Box<[(Operator, Box<[u8]>)]>,
}

impl TextFormat {
    /// Reads a format as Envoy has it.
    ///
    /// # Errors
    /// Why no line of it can be taken apart.
    pub(crate) fn read(format: &str) -> Result<Self, String> {
        let mut literals = vec![String::new()];
        let mut operators = Vec::new();
        let mut rest = format.trim_end_matches('\n');
        while let Some((before, after)) = rest.split_once('%') {
            let literal = literals.last_mut();
            literal.into_iter().for_each(|literal| literal.push_str(before));
            if let Some(after) = after.strip_prefix('%') {
                literals.last_mut().into_iter().for_each(|literal| literal.push('%'));
                rest = after;
                continue;
            }
            let end = end_of_operator(after).ok_or_else(|| format!("`%{after}`: an operator ends with `%`"))?;
            let (operator, after) = after.split_at_checked(end).unwrap_or((after, ""));
            if literals.last().is_some_and(String::is_empty) && !operators.is_empty() {
                return Err(format!("nothing stands before `%{operator}%`, so where it begins in a line is not known"));
            }
            operators.push(Operator::read(operator));
            literals.push(String::new());
            rest = after.strip_prefix('%').unwrap_or(after);
        }
        literals.last_mut().into_iter().for_each(|literal| literal.push_str(rest));
        let mut literals = literals.into_iter().map(|literal| literal.into_bytes().into_boxed_slice());
        let before = literals.next().unwrap_or_default();
        match operators.is_empty() {
            true => Err("it has no operator, such as `%REQ(:METHOD)%`".to_owned()),
            false => Ok(Self { before, operators: operators.into_iter().zip(literals).collect() }),
        }
    }

    /// Its operator, if it is one alone.
    pub(crate) fn only(&self) -> Option<&Operator> {
        match &*self.operators {
            [(operator, after)] if self.before.is_empty() && after.is_empty() => Some(operator),
            _ => None,
        }
    }

    /// The values of a line, each with its operator.
    ///
    /// # Errors
    /// Why it is not a line of the format.
    pub(crate) fn take_apart<'l>(&self, line: &'l [u8]) -> Result<Vec<(&Operator, &'l [u8])>, String> {
        let other = || "not a line of the format".to_owned();
        let line = line.strip_prefix(&*self.before).ok_or_else(other)?;
        let (line, inner) = match self.operators.split_last() {
            Some(((_, end), inner)) => (line.strip_suffix(&**end).ok_or_else(other)?, inner),
            None => (line, Default::default()),
        };
        let mut starts = Vec::with_capacity(inner.len());
        let mut from = 0usize;
        for (_, literal) in inner {
            let found = find(line.get(from..).unwrap_or_default(), literal).ok_or_else(other)?;
            starts.push(from + found);
            from += found + literal.len();
        }
        let mut end = line.len();
        for ((_, literal), start) in inner.iter().zip(&starts).rev() {
            let last = find_last(line.get(..end).unwrap_or_default(), literal);
            if last != Some(*start) {
                return Err("it can be read in two ways: a value has what the format has between values".to_owned());
            }
            end = *start;
        }
        let mut values = Vec::with_capacity(self.operators.len());
        let mut from = 0usize;
        let ends = starts.iter().copied().chain([line.len()]);
        for ((operator, literal), end) in self.operators.iter().zip(ends) {
            values.push((operator, line.get(from..end).unwrap_or_default()));
            from = end + literal.len();
        }
        Ok(values)
    }
}

/// Where an operator ends, whose first `%` is behind. One with an argument may have a `%` inside.
fn end_of_operator(text: &str) -> Option<usize> {
    let plain = text.find('%')?;
    match text.find('(').filter(|open| *open < plain) {
        None => Some(plain),
        Some(open) => {
            let mut closing = text.match_indices(')').filter(|(at, _)| *at > open);
            closing.find_map(|(at, _)| {
                let rest = text.get(at + 1..)?;
                let limit = rest.find('%')?;
                let between = rest.get(..limit)?;
                let is_limit =
                    between.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
                (between.is_empty() || is_limit).then_some(at + 1 + limit)
            })
        }
    }
}

fn find(text: &[u8], literal: &[u8]) -> Option<usize> {
    text.windows(literal.len().max(1)).position(|window| window == literal)
}

fn find_last(text: &[u8], literal: &[u8]) -> Option<usize> {
    text.windows(literal.len().max(1)).rposition(|window| window == literal)
}

#[cfg(test)]
mod tests;
