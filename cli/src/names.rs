//! Names and labels as the API server takes them (`k8s.io/apimachinery/pkg/util/validation`).

/// The most characters of a namespace, of the name of a label, and of its value.
const LABEL: usize = 63;

/// The most characters of a name, and of what stands before the `/` of a label.
const SUBDOMAIN: usize = 253;

/// The most characters of a workload's name: it becomes the document's `name`.
const WORKLOAD: usize = 63;

/// What is wrong with a namespace, which is a label of RFC 1123.
pub(crate) fn namespace(text: &str) -> Result<(), String> {
    if text.len() <= LABEL && is_label(text) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a namespace: it takes `a-z`, `0-9` and `-`, begins and ends with a letter or digit, and has at most \
         {LABEL} characters"
    ))
}

/// What is wrong with the name of an object, which is a subdomain of RFC 1123.
pub(crate) fn name(text: &str) -> Result<(), String> {
    if is_subdomain(text) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a name: it takes `a-z`, `0-9`, `-` and `.`, each part between dots begins and ends with a letter or \
         digit, and it has at most {SUBDOMAIN} characters"
    ))
}

/// What is wrong with a label: a key with or without a prefix, and a value that may be empty.
pub(crate) fn label(key: &str, value: &str) -> Result<(), String> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if prefix.is_some_and(|prefix| !is_subdomain(prefix)) {
        return Err(format!(
            "`{key}` is not a key of a label: what is before the `/` is a domain, such as `example.com`"
        ));
    }
    for (what, text) in [("a key", name), ("a value", value)] {
        if !(is_word(text) || (what == "a value" && text.is_empty())) {
            return Err(format!(
                "`{text}` is not {what} of a label: it takes letters, digits, `-`, `_` and `.`, begins and ends with a letter \
                 or digit, and has at most {LABEL} characters"
            ));
        }
    }
    Ok(())
}

/// Namespace and name of a workload.
///
/// # Errors
/// What keeps Kubernetes from taking them.
pub(crate) fn workload(text: &str) -> Result<(&str, &str), String> {
    let Some((namespace, name)) = text.split_once('/') else {
        return Err(format!("`{text}` is not NAMESPACE/NAME"));
    };
    let named = |problem| format!("`{text}` is not NAMESPACE/NAME: {problem}");
    self::namespace(namespace).map_err(named)?;
    self::name(name).map_err(named)?;
    if name.len() > WORKLOAD {
        return Err(named(format!("the name has more than {WORKLOAD} characters")));
    }
    Ok((namespace, name))
}

/// For the command line: the namespace, if it is one.
pub(crate) fn namespace_option(text: &str) -> Result<String, String> {
    namespace(text).map(|()| text.to_owned())
}

fn is_label(text: &str) -> bool {
    let is_edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    is_between(text, is_edge, |byte| is_edge(byte) || *byte == b'-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= SUBDOMAIN && text.split('.').all(is_label)
}

fn is_word(text: &str) -> bool {
    text.len() <= LABEL
        && is_between(text, u8::is_ascii_alphanumeric, |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Whether a text begins and ends with one of some characters, and has no others than some in between.
fn is_between(text: &str, is_edge: impl Fn(&u8) -> bool, is_inner: impl Fn(&u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(&is_edge) && bytes.last().is_some_and(&is_edge) && bytes.iter().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::{label, name, namespace};
    use weir_testing::Rows;

    /// Rows of `validation_test.go`: `TestIsDNS1123Label`, `TestIsDNS1123Subdomain`, `TestIsQualifiedName`,
    /// `TestIsValidLabelValue`.
    #[test]
    fn names_are_those_that_the_api_server_takes() {
        let long = |length: usize| "a".repeat(length);
        let mut rows = Rows::default();
        for (text, is_namespace, is_name) in [
            ("a", true, true),
            ("ab", true, true),
            ("a--1--2--b", true, true),
            ("0", true, true),
            ("1234", true, true),
            (long(63).as_str(), true, true),
            (long(64).as_str(), false, true),
            (long(253).as_str(), false, true),
            (long(254).as_str(), false, false),
            ("", false, false),
            ("A", false, false),
            ("-a", false, false),
            ("a-", false, false),
            ("_", false, false),
            ("a_b", false, false),
            ("a.b", false, true),
            ("a.b.c.d.e", false, true),
            ("a..b", false, false),
            (".a", false, false),
            ("a.", false, false),
            ("a.-b", false, false),
            ("a@b", false, false),
            (" a", false, false),
            ("ä", false, false),
        ] {
            rows.check(format!("namespace {text}"), namespace(text).is_ok(), is_namespace);
            rows.check(format!("name {text}"), name(text).is_ok(), is_name);
        }
        let (word, too_long, domain) = (long(63), long(64), format!("{}/a", long(253)));
        for (key, value, fits) in [
            ("simple", "simple", true),
            ("Has-Upper_Case.1", "Has-Upper_Case.1", true),
            ("example.com/app", "", true),
            ("1.2.3.4/5678", "1", true),
            (word.as_str(), word.as_str(), true),
            (domain.as_str(), "a", true),
            (too_long.as_str(), "a", false),
            ("a", too_long.as_str(), false),
            ("", "a", false),
            ("/a", "a", false),
            ("a/", "a", false),
            ("a/b/c", "a", false),
            ("Example.com/app", "a", false),
            ("a..b/app", "a", false),
            ("nospecial%^=@chars", "a", false),
            ("-a", "a", false),
            ("a", "a-", false),
            ("a", "a b", false),
            ("a", "a/b", false),
            ("a", "ä", false),
        ] {
            rows.check(format!("{key}={value}"), label(key, value).is_ok(), fits);
        }
    }
}
