//! The kinds of values: each reads one TOML value and says in words what it accepts. It knows no key.

use super::problem::did_you_mean;
use perch_device::key::Key;
use perch_studio::config::{Budget, MicrophoneChoice, NotRtmp, RtmpUrl, Secret};
use perch_web::config::Network;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use toml::de::DeValue;

/// A kind of value: how to read it, and the words for what it accepts ("must be …").
pub(super) struct Accept<V> {
    pub(super) words: String,
    /// The words to choose from, if the choice is fixed.
    choices: Vec<&'static str>,
    /// What was found is not repeated: it may be a key.
    is_secret: bool,
    read: Box<Read<V>>,
}

type Read<V> = dyn Fn(&DeValue<'_>) -> Option<V>;

impl<V> Accept<V> {
    fn new(words: impl Into<String>, read: impl Fn(&DeValue<'_>) -> Option<V> + 'static) -> Self {
        Self { words: words.into(), choices: Vec::new(), is_secret: false, read: Box::new(read) }
    }

    /// Reads the value; the error says what is wrong and what would be right.
    pub(super) fn read(&self, value: &DeValue<'_>) -> Result<V, String> {
        (self.read)(value).ok_or_else(|| {
            if self.is_secret {
                return format!("must be {}", self.words);
            }
            let meant = value
                .as_str()
                .and_then(|word| did_you_mean(word, &self.choices))
                .map_or_else(String::new, |choice| format!("; did you mean \"{choice}\"?"));
            format!("must be {}, found {}{meant}", self.words, found(value))
        })
    }
}

/// `true` or `false`.
pub(super) fn flag() -> Accept<bool> {
    Accept::new("true or false", |value| if let DeValue::Boolean(flag) = value { Some(*flag) } else { None })
}

/// A whole number within bounds.
pub(super) fn whole<V: TryFrom<i64> + 'static>(range: RangeInclusive<i64>, unit: &str) -> Accept<V> {
    let words = format!("a whole number from {} to {}{}", range.start(), range.end(), suffix(unit));
    Accept::new(words, move |value| {
        integer(value).filter(|n| range.contains(n)).and_then(|n| V::try_from(n).ok())
    })
}

/// An even number of pixels within bounds: 4:2:0 chroma has half as many.
pub(super) fn pixels(range: RangeInclusive<i64>) -> Accept<u32> {
    let words = format!("an even number of pixels from {} to {}", range.start(), range.end());
    Accept::new(words, move |value| {
        integer(value).filter(|n| range.contains(n) && n % 2 == 0).and_then(|n| u32::try_from(n).ok())
    })
}

/// A number, whole or with a fraction, within bounds.
pub(super) fn number(range: RangeInclusive<f64>, unit: &str) -> Accept<f64> {
    let words = format!("a number from {} to {}{}", range.start(), range.end(), suffix(unit));
    Accept::new(words, move |value| {
        let number = match value {
            DeValue::Integer(_) => integer(value)? as f64,
            DeValue::Float(float) => float.as_str().parse().ok()?,
            _ => return None,
        };
        range.contains(&number).then_some(number)
    })
}

/// One of a fixed set of words.
pub(super) fn one_of<V: Copy + 'static>(choices: &'static [(&'static str, V)]) -> Accept<V> {
    let words: Vec<&'static str> = choices.iter().map(|(word, _)| *word).collect();
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let mut accept = Accept::new(format!("one of {}", quoted.join(", ")), move |value| {
        let found = value.as_str()?;
        choices.iter().find(|(word, _)| *word == found).map(|(_, v)| *v)
    });
    accept.choices = words;
    accept
}

/// A number of bytes with its unit: `"500 MB"`. Units are decimal, as on the package of a card.
pub(super) fn bytes() -> Accept<u64> {
    Accept::new(r#"a size such as "500 MB" or "20 GB""#, |value| size(value.as_str()?))
}

/// A share of the free card, or a size.
pub(super) fn budget() -> Accept<Budget> {
    Accept::new(r#"a share such as "80%" or a size such as "20 GB""#, |value| {
        let text = value.as_str()?;
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.trim_end().parse().ok()?;
                (1..=100).contains(&percent).then_some(Budget::Percent(percent))
            }
            None => size(text).filter(|bytes| *bytes > 0).map(Budget::Bytes),
        }
    })
}

fn size(text: &str) -> Option<u64> {
    let unit_at = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit {
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return None,
    };
    let number: f64 = number.trim_end().parse().ok()?;
    (0.0..=1e6).contains(&number).then_some((number * unit) as u64)
}

/// A word that can be used in an address and in a metric's label.
pub(super) fn name() -> Accept<String> {
    Accept::new("1 to 32 of a-z, 0-9 and -", |value| {
        let name = value.as_str()?;
        let fits = (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        fits.then(|| name.to_owned())
    })
}

/// Names of other tables.
pub(super) fn names(example: &str) -> Accept<Vec<String>> {
    let name = name();
    Accept::new(format!("a list of names such as [\"{example}\"]"), move |value| {
        value.as_array()?.iter().map(|item| (name.read)(item.get_ref())).collect()
    })
}

/// A stream key. Spaces around it come of copying it.
pub(super) fn stream_key() -> Accept<Option<Secret>> {
    let fits = |key: &str| !key.is_empty() && key.len() <= 500 && !key.contains(char::is_control);
    let mut accept = Accept::new("a stream key of up to 500 characters", move |value: &DeValue<'_>| {
        let key = value.as_str()?.trim();
        fits(key).then(|| Some(Secret::new(key)))
    });
    accept.is_secret = true;
    accept
}

/// The address of an RTMP server, which may hold a key.
pub(super) fn rtmp_url() -> Accept<Option<RtmpUrl>> {
    let mut accept =
        Accept::new(NotRtmp.to_string(), |value| RtmpUrl::parse(value.as_str()?.trim()).ok().map(Some));
    accept.is_secret = true;
    accept
}

/// A microphone: `"auto"`, `"none"`, or ALSA's name of a device of the kernel.
pub(super) fn microphone() -> Accept<MicrophoneChoice> {
    Accept::new(r#""auto", "none" or a device such as "hw:CARD=C920,DEV=0""#, |value| {
        let name = value.as_str()?;
        match name {
            "auto" => Some(MicrophoneChoice::Auto),
            "none" => Some(MicrophoneChoice::None),
            // By its name: numbers of cards change. Plug-ins would resample, mix, and hide the times.
            _ => {
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=,".contains(&byte);
                let card = name.strip_prefix("hw:CARD=")?;
                (!card.is_empty() && card.len() <= 64 && card.bytes().all(fits))
                    .then(|| MicrophoneChoice::Device(name.to_owned()))
            }
        }
    })
}

/// A file system path.
pub(super) fn path() -> Accept<PathBuf> {
    Accept::new("a path", |value| {
        value.as_str().filter(|path| !path.is_empty() && !path.contains('\0')).map(PathBuf::from)
    })
}

/// The path of an address.
pub(super) fn site_path() -> Accept<String> {
    let words = "a path such as \"/perch\", of letters, digits and -_~, that does not begin like one of Perch's own addresses";
    Accept::new(words, |value| perch_web::site_path(value.as_str()?))
}

/// Like [`path`], for a key that may be missing.
pub(super) fn optional_path() -> Accept<Option<PathBuf>> {
    let path = path();
    Accept::new(path.words.clone(), move |value| (path.read)(value).map(Some))
}

/// A chip by name, label or device file, for a key that may be missing.
pub(super) fn optional_chip() -> Accept<Option<String>> {
    Accept::new("a chip's name, label or path", |value| {
        value.as_str().filter(|chip| !chip.trim().is_empty()).map(|chip| Some(chip.to_owned()))
    })
}

/// A key by the kernel's name.
pub(super) fn key() -> Accept<Key> {
    Accept::new("a key's name as in linux/input-event-codes.h, such as \"KEY_B\"", |value| {
        Key::from_name(value.as_str()?)
    })
}

/// One or more addresses with ports.
pub(super) fn addresses() -> Accept<Vec<SocketAddr>> {
    Accept::new(r#"a list of addresses with ports such as ["[::]:8080", "127.0.0.1:80"]"#, |value| {
        let addresses = value.as_array()?;
        (!addresses.is_empty())
            .then(|| addresses.iter().map(|a| a.get_ref().as_str()?.parse().ok()).collect())?
    })
}

/// Any number of host names and addresses, without ports; in lower case.
pub(super) fn host_names() -> Accept<Vec<String>> {
    Accept::new(
        r#"a list of host names without ports such as ["perch.example.org", "203.0.113.7"]"#,
        |value| {
            let names = value.as_array()?.iter().map(|name| {
                let name = name.get_ref().as_str()?.to_ascii_lowercase();
                let is_label = |label: &str| {
                    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                    (1..=63).contains(&label.len()) && label.bytes().all(is_allowed)
                };
                let is_address = name.parse::<std::net::IpAddr>().is_ok();
                (is_address || name.len() <= 253 && name.split('.').all(is_label)).then_some(name)
            });
            names.collect()
        },
    )
}

/// Any number of addresses and networks.
pub(super) fn networks() -> Accept<Vec<Network>> {
    Accept::new(r#"a list of addresses and networks such as ["127.0.0.1", "10.0.0.0/8"]"#, |value| {
        value.as_array()?.iter().map(|network| network.get_ref().as_str()?.parse().ok()).collect()
    })
}

/// A program and its arguments, run without a shell.
pub(super) fn command() -> Accept<Vec<String>> {
    Accept::new(r#"a program and its arguments such as ["rpicam-vid", "-o", "-"]"#, |value| {
        let words = value.as_array()?;
        let argv: Option<Vec<String>> =
            words.iter().map(|word| word.get_ref().as_str().map(ToOwned::to_owned)).collect();
        argv.filter(|argv| {
            argv.first().is_some_and(|program| !program.is_empty()) && !argv.iter().any(|w| w.contains('\0'))
        })
    })
}

fn suffix(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" {unit}") }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A value as written, cut to the length of a line.
fn found(value: &DeValue<'_>) -> String {
    let text = match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().take(8).map(|item| found(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(_) => "a table".to_owned(),
    };
    if text.chars().count() <= 80 { text } else { text.chars().take(79).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<V>(accept: &Accept<V>, toml: &str) -> Result<V, String> {
        accept.read(DeValue::parse(toml).unwrap().get_ref())
    }

    #[test]
    fn numbers_are_taken_in_every_toml_spelling_and_only_within_bounds() {
        assert_eq!(read(&whole::<u32>(1..=70_000, ""), "65_536"), Ok(65_536));
        assert_eq!(read(&whole::<u32>(1..=70_000, ""), "0x10"), Ok(16));
        assert_eq!(read(&number(0.5..=10.0, "seconds"), "2"), Ok(2.0));
        assert_eq!(read(&number(0.5..=10.0, "seconds"), "1_0.0"), Ok(10.0));
        for wrong in ["0.4", "nan", "inf", "true", "\"2\"", "99999999999999999999"] {
            let error = read(&number(0.5..=10.0, "seconds"), wrong).unwrap_err();
            assert!(error.starts_with("must be a number from 0.5 to 10 seconds, found "), "{error}");
        }
    }

    #[test]
    fn odd_picture_sizes_are_refused() {
        assert_eq!(read(&pixels(64..=4096), "1280"), Ok(1280));
        assert!(read(&pixels(64..=4096), "1281").is_err());
        assert!(read(&pixels(64..=4096), "62").is_err());
    }

    #[test]
    fn a_wrong_choice_lists_the_right_ones_and_guesses() {
        let accept = one_of(&[("auto", 1), ("test-pattern", 2)]);
        assert_eq!(
            read(&accept, r#""test-patern""#).unwrap_err(),
            r#"must be one of "auto", "test-pattern", found "test-patern"; did you mean "test-pattern"?"#
        );
    }

    #[test]
    fn lists_must_be_lists_of_the_right_thing_with_something_in_them() {
        assert_eq!(read(&addresses(), r#"["[::]:80", "127.0.0.1:8080"]"#).unwrap().len(), 2);
        for wrong in ["[]", r#""[::]:80""#, r#"["localhost"]"#, "[80]"] {
            assert!(read(&addresses(), wrong).is_err(), "{wrong}");
        }
        assert_eq!(read(&command(), r#"["a", ""]"#), Ok(vec!["a".to_owned(), String::new()]));
        for wrong in ["[]", r#"[""]"#, r#""a b""#, r#"["a", 1]"#, r#"["a\u0000"]"#] {
            assert!(read(&command(), wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_and_shares_have_units() {
        assert_eq!(read(&bytes(), r#""500 MB""#), Ok(500_000_000));
        assert_eq!(read(&bytes(), r#""1.5TB""#), Ok(1_500_000_000_000));
        assert_eq!(read(&bytes(), r#""0 MB""#), Ok(0));
        assert_eq!(read(&budget(), r#""80%""#), Ok(Budget::Percent(80)));
        assert_eq!(read(&budget(), r#""20 GB""#), Ok(Budget::Bytes(20_000_000_000)));
        for wrong in [
            "80",
            r#""80""#,
            r#""101%""#,
            r#""0%""#,
            r#""0 GB""#,
            r#""20 GiB""#,
            r#""-1 GB""#,
            r#""GB""#,
            r#""nan GB""#,
        ] {
            assert!(read(&budget(), wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn microphones_are_named_by_their_cards() {
        assert_eq!(read(&microphone(), r#""auto""#), Ok(MicrophoneChoice::Auto));
        assert_eq!(read(&microphone(), r#""none""#), Ok(MicrophoneChoice::None));
        let device = "hw:CARD=C920,DEV=0";
        assert_eq!(
            read(&microphone(), &format!("\"{device}\"")),
            Ok(MicrophoneChoice::Device(device.to_owned()))
        );
        for wrong in [
            r#""hw:0""#,
            r#""hw:CARD=""#,
            r#""plughw:CARD=C920""#,
            r#""default""#,
            "true",
            r#""hw:CARD=a b""#,
        ] {
            let error = read(&microphone(), wrong).unwrap_err();
            assert!(error.starts_with("must be \"auto\", \"none\" or a device such as"), "{error}");
        }
    }

    #[test]
    fn keys_and_chips_have_names() {
        assert!(read(&key(), r#""KEY_PAGEDOWN""#).is_ok());
        let wrong = read(&key(), r#""pagedown""#).unwrap_err();
        assert!(wrong.contains("such as \"KEY_B\", found \"pagedown\""), "{wrong}");
        assert_eq!(read(&optional_chip(), r#""gpiochip4""#), Ok(Some("gpiochip4".to_owned())));
        assert!(read(&optional_chip(), r#"" ""#).is_err());
    }

    #[test]
    fn what_may_be_a_key_is_not_repeated() {
        assert_eq!(read(&stream_key(), r#"" abc ""#), Ok(Some(Secret::new("abc"))));
        assert!(read(&rtmp_url(), r#""rtmp://a/live""#).unwrap().is_some());
        for error in [
            read(&stream_key(), "1234").map(|_| ()).unwrap_err(),
            read(&rtmp_url(), r#""http://a/live/1234""#).map(|_| ()).unwrap_err(),
        ] {
            assert!(error.starts_with("must be a") && !error.contains("1234"), "{error}");
        }
    }

    #[test]
    fn a_long_value_is_cut_in_the_message() {
        let error = read(&flag(), &format!("\"{}\"", "ä".repeat(500))).unwrap_err();
        assert!(error.chars().count() < 120);
    }
}
