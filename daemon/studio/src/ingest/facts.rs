//! What a publisher says of its stream: `onMetaData` (FLV §E.5). It may be wrong, so it is shown and estimated with, and never relied on.

use perch_media::flv::amf0::{self, Value};

/// Characters of a program's name that are shown.
const NAME_MOST: usize = 60;

/// The facts that are used.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// Name of the program or its encoder.
    pub(super) program: Option<String>,
    /// 0 if it is not said.
    pub(super) frames_per_second: u32,
    /// Of picture and sound together; 0 if it is not said.
    pub(super) kbps: u32,
    /// True if sound is announced.
    pub(super) has_sound: bool,
}

impl Facts {
    /// Reads a message of data; `None` if it says something else.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let values = amf0::read(body).ok()?;
        let is = |at: usize, name: &str| values.get(at).and_then(Value::as_str) == Some(name);
        let at = usize::from(is(0, "@setDataFrame"));
        let said = values.get(at + 1).filter(|_| is(at, "onMetaData"))?;
        // Conversion of a float to an integer keeps within its range, and makes 0 of what is no number.
        let number =
            |name: &str| said.get(name).and_then(Value::as_number).unwrap_or_default().round() as u32;
        let program = said.get("encoder").and_then(Value::as_str).map(|name| {
            name.chars().filter(|letter| !letter.is_control()).take(NAME_MOST).collect::<String>()
        });
        Some(Self {
            program: program.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
            frames_per_second: number("framerate"),
            kbps: number("videodatarate").saturating_add(number("audiodatarate")),
            has_sound: said.get("audiocodecid").is_some_and(|codec| *codec != Value::Null),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(fields: &[(&str, Value)]) -> Value {
        Value::EcmaArray(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    #[test]
    fn what_programs_say_is_read_with_and_without_set_data_frame() {
        let facts = said(&[
            ("width", Value::Number(1280.0)),
            ("framerate", Value::Number(29.97)),
            ("videodatarate", Value::Number(2500.4)),
            ("audiodatarate", Value::Number(128.0)),
            ("audiocodecid", Value::from("mp4a")),
            ("encoder", Value::from("obs-output module (libobs version 30)\n")),
        ]);
        let expected = Facts {
            program: Some("obs-output module (libobs version 30)".to_owned()),
            frames_per_second: 30,
            kbps: 2628,
            has_sound: true,
        };
        let plain = amf0::write(&[Value::from("onMetaData"), facts.clone()]);
        assert_eq!(Facts::read(&plain), Some(expected.clone()));
        let framed = amf0::write(&[Value::from("@setDataFrame"), Value::from("onMetaData"), facts]);
        assert_eq!(Facts::read(&framed), Some(expected));
    }

    #[test]
    fn nonsense_is_no_fact() {
        for values in [
            &[Value::from("@setDataFrame")][..],
            &[Value::from("@setDataFrame"), Value::from("onMetaData")],
            &[Value::from("onMetaData")],
            &[Value::from("onCuePoint"), said(&[])],
            &[],
        ] {
            assert_eq!(Facts::read(&amf0::write(values)), None);
        }
        assert_eq!(Facts::read(&[3; 100]), None);
        let wild = said(&[
            ("framerate", Value::Number(f64::NAN)),
            ("videodatarate", Value::Number(1e300)),
            ("audiodatarate", Value::Number(-4.0)),
            ("encoder", Value::String("x".repeat(500))),
        ]);
        let facts = Facts::read(&amf0::write(&[Value::from("onMetaData"), wild])).unwrap();
        assert_eq!((facts.frames_per_second, facts.kbps, facts.has_sound), (0, u32::MAX, false));
        assert_eq!(facts.program.unwrap().len(), 60);
    }
}
