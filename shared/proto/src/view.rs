//! Dynamic metadata read in place: looking one value up allocates nothing and skips what is around it.
//!
//! A filter that decides by a claim needs one string out of a message of some kilobytes. Bytes that are not such a message
//! are [`Damaged`] as soon as a look-up meets them, and never read as absence.

use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The bytes are not a message of the kind that they are read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// A serialised `envoy.config.core.v3.Metadata`.
#[derive(Clone, Copy, Debug)]
pub struct MetadataView<'a>(Message<'a>);

/// A serialised `google.protobuf.Struct`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructView<'a>(Message<'a>);

/// A field of a `google.protobuf.Struct` with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldView<'a> {
    /// The name, as it is in the message.
    pub name: &'a [u8],
    value: Message<'a>,
}

/// A serialised `google.protobuf.ListValue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListView<'a>(Message<'a>);

/// A serialised `google.protobuf.Value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueView<'a> {
    /// A string.
    Text(&'a [u8]),
    /// A list.
    List(ListView<'a>),
    /// An object.
    Map(StructView<'a>),
    /// Null, a number or a boolean.
    Other,
}

impl<'a> MetadataView<'a> {
    /// Views `bytes`; nothing is read yet.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Message(bytes))
    }

    /// The metadata of a filter, such as `envoy.filters.http.jwt_authn`.
    ///
    /// # Errors
    ///
    /// If the bytes are not such a message.
    pub fn get(self, filter: &str) -> Result<Option<StructView<'a>>, Damaged> {
        Ok(self.0.entry(filter)?.map(StructView))
    }

    /// Each filter's name and metadata, in the order of the message. After one that is damaged there are no more.
    pub fn filters(self) -> impl Iterator<Item = Result<(&'a [u8], StructView<'a>), Damaged>> {
        self.0.entries().map(|entry| entry.map(|(name, fields)| (name, StructView(fields))))
    }
}

impl<'a> StructView<'a> {
    /// The value of a field; of several of that name the last, as protobuf has it.
    ///
    /// # Errors
    ///
    /// If the bytes are not such a message.
    pub fn get(self, name: &str) -> Result<Option<ValueView<'a>>, Damaged> {
        self.0.entry(name)?.map(ValueView::of).transpose()
    }

    /// The value at a path of names.
    ///
    /// # Errors
    ///
    /// If the bytes are not such a message.
    pub fn at<'n>(self, path: impl IntoIterator<Item = &'n str>) -> Result<Option<ValueView<'a>>, Damaged> {
        let mut value = ValueView::Map(self);
        for name in path {
            let ValueView::Map(fields) = value else { return Ok(None) };
            let Some(found) = fields.get(name)? else { return Ok(None) };
            value = found;
        }
        Ok(Some(value))
    }

    /// The fields in the order of the message. After one that is damaged there are no more.
    pub fn fields(self) -> impl Iterator<Item = Result<FieldView<'a>, Damaged>> {
        self.0.entries().map(|entry| entry.map(|(name, value)| FieldView { name, value }))
    }
}

impl<'a> FieldView<'a> {
    /// Its value.
    ///
    /// # Errors
    ///
    /// If the bytes are not such a message.
    pub fn value(self) -> Result<ValueView<'a>, Damaged> {
        ValueView::of(self.value)
    }
}

impl<'a> ListView<'a> {
    /// The items in order. After one that is damaged there are no more.
    pub fn items(self) -> impl Iterator<Item = Result<ValueView<'a>, Damaged>> {
        let values = self.0.fields().filter(|field| !matches!(field, Ok((tag, _)) if *tag != 1));
        values.map(|field| ValueView::of(Message(field?.1.ok_or(Damaged)?)))
    }
}

impl<'a> ValueView<'a> {
    /// `null_value` to `list_value` are the fields 1 to 6; the last one set counts.
    fn of(message: Message<'a>) -> Result<Self, Damaged> {
        let mut value = Self::Other;
        for field in message.fields() {
            value = match field? {
                (3, Some(text)) => Self::Text(text),
                (5, Some(fields)) => Self::Map(StructView(Message(fields))),
                (6, Some(list)) => Self::List(ListView(Message(list))),
                (1 | 2 | 4, None) => Self::Other,
                (1..=6, _) => return Err(Damaged),
                _ => value,
            };
        }
        Ok(value)
    }
}

/// The number of a field and its bytes, if it has a length.
type Field<'a> = (u32, Option<&'a [u8]>);

/// Any message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    /// The number and the bytes of each field; `None` for the bytes of numbers, which nothing here reads.
    fn fields(self) -> impl Iterator<Item = Result<Field<'a>, Damaged>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let field = next(&mut rest)?;
            if field.is_err() {
                rest = &[];
            }
            Some(field)
        })
    }

    /// Key and value of each entry of a map: field 1 holds entries with the key in 1 and the value in 2.
    fn entries(self) -> impl Iterator<Item = Result<(&'a [u8], Message<'a>), Damaged>> {
        let entries = self.fields().filter(|field| !matches!(field, Ok((tag, _)) if *tag != 1));
        entries.map(|field| {
            let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
            for field in Message(field?.1.ok_or(Damaged)?).fields() {
                match field? {
                    (1, bytes) => key = bytes.ok_or(Damaged)?,
                    (2, bytes) => value = bytes.ok_or(Damaged)?,
                    _ => {}
                }
            }
            Ok((key, Message(value)))
        })
    }

    /// The value of a map's entry; of several with one key the last.
    fn entry(self, name: &str) -> Result<Option<Message<'a>>, Damaged> {
        let mut found = None;
        for entry in self.entries() {
            let (key, value) = entry?;
            if key == name.as_bytes() {
                found = Some(value);
            }
        }
        Ok(found)
    }
}

/// Takes a field off the front; `None` at the end.
fn next<'a>(rest: &mut &'a [u8]) -> Option<Result<Field<'a>, Damaged>> {
    if rest.is_empty() {
        return None;
    }
    let Ok((tag, kind)) = decode_key(rest) else { return Some(Err(Damaged)) };
    if kind != WireType::LengthDelimited {
        let skipped = skip_field(kind, tag, rest, DecodeContext::default());
        return Some(skipped.map(|()| (tag, None)).map_err(|_| Damaged));
    }
    let length = decode_varint(rest).ok().and_then(|length| usize::try_from(length).ok());
    let taken = length.and_then(|length| rest.split_at_checked(length));
    let Some((bytes, after)) = taken else { return Some(Err(Damaged)) };
    rest.advance(rest.len() - after.len());
    Some(Ok((tag, Some(bytes))))
}

#[cfg(test)]
mod tests;
