//! What can be seen of an expression without evaluating it. Whether it is CEL, Envoy decides.
//!
//! The tokens are those of CEL's language definition: names, strings with their prefixes and quotes, comments, and single
//! characters for all else.

/// The macros that go through a list or a map.
const MACROS: [&str; 5] = ["all", "exists", "exists_one", "map", "filter"];

/// What an expression asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// `request.headers`, or that of another message.
    pub(super) headers: bool,
    /// `request`
    pub(super) request: bool,
    /// `response`
    pub(super) response: bool,
    /// `in` or `has`, which ask whether something is there.
    pub(super) presence: bool,
    /// A macro that goes through something is inside of another one.
    pub(super) is_nested: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Name(&'t str),
    /// What is between the quotes, as it is written.
    Text(&'t str),
    Mark(char),
}

/// Looks through an expression.
pub(super) fn scan(text: &str) -> Seen {
    let mut seen = Seen::default();
    // Of each parenthesis that is open, whether it is that of a macro.
    let mut open: Vec<bool> = Vec::new();
    let (mut before, mut last) = (None, None);
    for token in Tokens(text) {
        let is_member = last == Some(Token::Mark('.'));
        match token {
            Token::Name("headers") => seen.headers |= is_member,
            Token::Text("headers") => seen.headers |= last == Some(Token::Mark('[')),
            Token::Name("in" | "has") => seen.presence |= !is_member,
            Token::Name("request") => seen.request |= !is_member,
            Token::Name("response") => seen.response |= !is_member,
            Token::Mark('(') => {
                let is_macro =
                    before == Some(Token::Mark('.')) && MACROS.into_iter().any(|name| last == Some(Token::Name(name)));
                seen.is_nested |= is_macro && open.contains(&true);
                open.push(is_macro);
            }
            Token::Mark(')') => {
                open.pop();
            }
            Token::Name(_) | Token::Text(_) | Token::Mark(_) => {}
        }
        (before, last) = (last, Some(token));
    }
    seen
}

/// The tokens of what is left of an expression.
struct Tokens<'t>(&'t str);

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        loop {
            self.0 = self.0.trim_start();
            match self.0.strip_prefix("//") {
                Some(comment) => self.0 = comment.split_once(['\n', '\r']).map_or("", |(_, rest)| rest),
                None => break,
            }
        }
        if let Some(token) = self.text() {
            return Some(token);
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let first = self.0.chars().next()?;
        let end = self.0.find(|c| !is_name(c)).unwrap_or(self.0.len());
        if end > 0 && !first.is_ascii_digit() {
            return Some(Token::Name(self.split(end)));
        }
        self.split(first.len_utf8());
        Some(Token::Mark(first))
    }
}

impl<'t> Tokens<'t> {
    fn split(&mut self, at: usize) -> &'t str {
        let (before, rest) = self.0.split_at_checked(at).unwrap_or((self.0, ""));
        self.0 = rest;
        before
    }

    /// A string, if one begins here. One without an end goes to the end.
    fn text(&mut self) -> Option<Token<'t>> {
        let body = self.0.trim_start_matches(['r', 'R', 'b', 'B']);
        let prefix = self.0.strip_suffix(body)?;
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| body.starts_with(quote))?;
        let inner = body.strip_prefix(quote)?;
        let is_raw = prefix.contains(['r', 'R']);
        let mut is_escaped = false;
        let end = inner.char_indices().find(|(at, c)| {
            let ends = !is_escaped && inner.get(*at..).is_some_and(|rest| rest.starts_with(quote));
            is_escaped = !is_raw && !is_escaped && *c == '\\';
            ends
        });
        let (text, rest) = inner.split_at_checked(end.map_or(inner.len(), |(at, _)| at)).unwrap_or((inner, ""));
        self.0 = rest.strip_prefix(quote).unwrap_or("");
        Some(Token::Text(text))
    }
}
