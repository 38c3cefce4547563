//! A JSON value that keeps the order and the repetition of keys.
//!
//! Keys and strings are those of the text that it was read from, unless there are escapes in them: a document has tens of
//! thousands of them, and memory of their own would be most of what reading it costs.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A JSON value of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'t> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number.
    Number(serde_json::Number),
    /// A string.
    String(Cow<'t, str>),
    /// An array.
    Array(Vec<Self>),
    /// An object, keys in the order they were written, repeated ones included.
    Object(Vec<(Cow<'t, str>, Self)>),
}

impl Value<'_> {
    /// What this is, in words for a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Value<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_unit<E>(self) -> Result<Value<'de>, E> {
                Ok(Value::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
                Ok(Value::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
                Ok(Value::Number(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
                Ok(Value::Number(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Value<'de>, E> {
                Ok(serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number))
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Value<'de>, E> {
                Ok(Value::String(Cow::Borrowed(value)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Value<'de>, E> {
                Ok(Value::String(Cow::Owned(value.to_owned())))
            }
            fn visit_string<E>(self, value: String) -> Result<Value<'de>, E> {
                Ok(Value::String(Cow::Owned(value)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
                // Most lists and objects of a policy have one entry, and there are tens of thousands of them.
                let mut items = Vec::with_capacity(1);
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Value::Array(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
                let mut fields = Vec::with_capacity(1);
                while let Some((Key(key), value)) = map.next_entry()? {
                    fields.push((key, value));
                }
                Ok(Value::Object(fields))
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

/// A key: serde's own `Cow` borrows nothing.
struct Key<'t>(Cow<'t, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyKey;
        impl<'de> Visitor<'de> for AnyKey {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(AnyKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_what_has_escapes_has_memory_of_its_own() {
        let text = r#"{"a\u0062": "plain", "plain": "b\n", "": ["", "\u0000"]}"#;
        let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) else { panic!("{text}") };
        let borrowed = |text: &Cow<'_, str>| matches!(text, Cow::Borrowed(_));
        let keys: Vec<(&str, bool)> = fields.iter().map(|(key, _)| (&**key, borrowed(key))).collect();
        assert_eq!(keys, [("ab", false), ("plain", true), ("", true)]);
        let values: Vec<&Value> = fields.iter().map(|(_, value)| value).collect();
        assert!(matches!(values[0], Value::String(Cow::Borrowed("plain"))));
        assert!(matches!(values[1], Value::String(Cow::Owned(text)) if text == "b\n"));
        let Value::Array(items) = values[2] else { panic!("{values:?}") };
        assert!(matches!(items.as_slice(), [Value::String(Cow::Borrowed("")), Value::String(Cow::Owned(_))]));
    }
}
