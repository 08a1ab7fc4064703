//! AMF0 ("Action Message Format", December 2007): values of `onMetaData` and of RTMP's commands. What comes from strangers is read within bounds.

/// Objects in objects, at most: no command nests deeper than two.
const DEEPEST: usize = 8;
const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;
const DATE: u8 = 11;
const LONG_STRING: u8 = 12;
const UNSUPPORTED: u8 = 13;
const XML: u8 = 15;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A double.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A text; long ones and XML documents are read as texts, too.
    String(String),
    /// Names and values, in their order.
    Object(Vec<(String, Value)>),
    /// The same with another marker: `onMetaData` has one.
    EcmaArray(Vec<(String, Value)>),
    /// Values.
    StrictArray(Vec<Value>),
    /// Milliseconds since 1970, in UTC.
    Date(f64),
    /// Nothing; undefined and unsupported values are read as nothing, too.
    Null,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl Value {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one.
    pub const fn as_number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The value of this name in an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let (Self::Object(fields) | Self::EcmaArray(fields)) = self else { return None };
        fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// Why a message was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Amf0Error {
    /// It ends inside a value.
    #[error("an AMF0 value is cut off")]
    TooShort,
    /// A marker that no value of AMF0 begins with, or one of a kind that nobody sends (references, typed objects).
    #[error("AMF0 has no value with the marker {0}")]
    Marker(u8),
    /// Objects in objects in objects.
    #[error("AMF0 values are nested more than {DEEPEST} deep")]
    TooDeep,
}

/// The values of a message. Memory is bounded by the length of `data`.
pub fn read(data: &[u8]) -> Result<Vec<Value>, Amf0Error> {
    let mut input = Input(data);
    let mut values = Vec::new();
    while !input.0.is_empty() {
        values.push(input.value(DEEPEST)?);
    }
    Ok(values)
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Amf0Error> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(Amf0Error::TooShort)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Amf0Error> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Amf0Error::TooShort)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<f64, Amf0Error> {
        Ok(f64::from_be_bytes(self.array()?))
    }

    fn string(&mut self) -> Result<String, Amf0Error> {
        let length = u16::from_be_bytes(self.array()?);
        self.text(length.into())
    }

    fn text(&mut self, length: usize) -> Result<String, Amf0Error> {
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn value(&mut self, depth: usize) -> Result<Value, Amf0Error> {
        let depth = depth.checked_sub(1).ok_or(Amf0Error::TooDeep)?;
        Ok(match self.array::<1>()?[0] {
            NUMBER => Value::Number(self.number()?),
            BOOLEAN => Value::Boolean(self.array::<1>()? != [0]),
            STRING => Value::String(self.string()?),
            OBJECT => Value::Object(self.fields(depth)?),
            ECMA_ARRAY => {
                // How many there are, which some writers do not know.
                self.array::<4>()?;
                Value::EcmaArray(self.fields(depth)?)
            }
            STRICT_ARRAY => {
                let count = u32::from_be_bytes(self.array()?);
                let values: Result<Vec<_>, _> = (0..count).map(|_| self.value(depth)).collect();
                Value::StrictArray(values?)
            }
            DATE => {
                let date = self.number()?;
                self.array::<2>()?; // a time zone that is not used
                Value::Date(date)
            }
            LONG_STRING | XML => {
                let length = u32::from_be_bytes(self.array()?);
                Value::String(self.text(length as usize)?)
            }
            NULL | UNDEFINED | UNSUPPORTED => Value::Null,
            other => return Err(Amf0Error::Marker(other)),
        })
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<(String, Value)>, Amf0Error> {
        let mut fields = Vec::new();
        loop {
            let name = self.string()?;
            if name.is_empty() && self.0.first() == Some(&OBJECT_END) {
                self.take(1)?;
                return Ok(fields);
            }
            fields.push((name, self.value(depth)?));
        }
    }
}

/// The bytes of a message.
pub fn write(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    put_all(&mut out, values);
    out
}

fn put_all(out: &mut Vec<u8>, values: &[Value]) {
    for value in values {
        put(out, value);
    }
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            out.push(NUMBER);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(flag) => out.extend_from_slice(&[BOOLEAN, u8::from(*flag)]),
        Value::String(text) if u16::try_from(text.len()).is_ok() => {
            out.push(STRING);
            put_string(out, text);
        }
        Value::String(text) => {
            out.push(LONG_STRING);
            out.extend_from_slice(&(text.len() as u32).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        Value::Object(fields) => {
            out.push(OBJECT);
            put_fields(out, fields);
        }
        Value::EcmaArray(fields) => {
            out.push(ECMA_ARRAY);
            out.extend_from_slice(&(fields.len() as u32).to_be_bytes());
            put_fields(out, fields);
        }
        Value::StrictArray(values) => {
            out.push(STRICT_ARRAY);
            out.extend_from_slice(&(values.len() as u32).to_be_bytes());
            put_all(out, values);
        }
        Value::Date(date) => {
            out.push(DATE);
            out.extend_from_slice(&date.to_be_bytes());
            out.extend_from_slice(&[0, 0]);
        }
        Value::Null => out.push(NULL),
    }
}

fn put_fields(out: &mut Vec<u8>, fields: &[(String, Value)]) {
    for (name, value) in fields {
        put_string(out, name);
        put(out, value);
    }
    out.extend_from_slice(&[0, 0, OBJECT_END]);
}

/// Names are ours and short.
fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_command_is_written_as_other_programs_write_it() {
        // As ffmpeg 7 sends it.
        let bytes = b"\x02\x00\x0ccreateStream\x00\x40\x10\x00\x00\x00\x00\x00\x00\x05";
        let values = [Value::from("createStream"), Value::Number(4.0), Value::Null];
        assert_eq!(write(&values), bytes);
        assert_eq!(read(bytes).unwrap(), values);
    }

    #[test]
    fn dates_long_texts_and_xml_are_read() {
        let date = [&[DATE][..], &1e12f64.to_be_bytes(), &[0, 60]].concat();
        let long = [&[LONG_STRING, 0, 0, 0, 2][..], b"ab", &[XML, 0, 0, 0, 1], b"x", &[UNDEFINED]].concat();
        let texts = [Value::from("ab"), Value::from("x"), Value::Null];
        assert_eq!(read(&date).unwrap(), [Value::Date(1e12)]);
        assert_eq!(read(&long).unwrap(), texts);
        assert_eq!(
            read(&write(&[Value::String("x".repeat(70_000))])).unwrap()[0].as_str().unwrap().len(),
            70_000
        );
    }

    #[test]
    fn a_bomb_of_objects_is_refused() {
        let objects = [OBJECT, 0, 1, b'a'].repeat(100_000);
        assert_eq!(read(&objects), Err(Amf0Error::TooDeep));
        assert_eq!(read(&[STRICT_ARRAY, 0xff, 0xff, 0xff, 0xff]), Err(Amf0Error::TooShort));
        assert_eq!(read(&[7]), Err(Amf0Error::Marker(7)));
        assert_eq!(read(&[STRING, 0, 5, b'a']), Err(Amf0Error::TooShort));
    }

    fn a_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<f64>().prop_filter("equal to itself", |number| !number.is_nan()).prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,20}".prop_map(Value::String),
            Just(Value::Null),
            (-1e15..1e15).prop_map(Value::Date),
        ];
        leaf.prop_recursive(4, 20, 5, |inner| {
            let fields = prop::collection::vec((".{1,8}", inner.clone()), 0..4);
            prop_oneof![
                fields.clone().prop_map(Value::Object),
                fields.prop_map(Value::EcmaArray),
                prop::collection::vec(inner, 0..4).prop_map(Value::StrictArray),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(values in prop::collection::vec(a_value(), 0..4)) {
            prop_assert_eq!(read(&write(&values)).unwrap(), values);
        }

        #[test]
        fn any_bytes_are_survived(data in prop::collection::vec(prop_oneof![0u8..16, any::<u8>()], 0..200)) {
            let _ = read(&data);
        }
    }
}
