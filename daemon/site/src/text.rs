//! Rules for texts from people, and their stored form: NFC (UAX #15), trimmed, limited in length, without characters that disturb
//! the text around them or make one name look like another (UTS #39). Every text from outside is checked here once, before it is
//! stored.
//!
//! Not here: the limits of each field, and HTTP statuses.

use std::ops::RangeInclusive;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_security::confusable_detection::skeleton;
use unicode_security::{MixedScript as _, RestrictionLevel, RestrictionLevelDetection as _};

/// Characters of a username.
pub const USERNAME_CHARACTERS: RangeInclusive<usize> = 1..=20;
/// Characters of a password.
pub const PASSWORD_CHARACTERS: RangeInclusive<usize> = 8..=128;
/// Bytes of an e-mail address at most: the limit of mail servers (RFC 5321 §4.5.3.1, with its brackets).
const EMAIL_BYTES: usize = 254;
/// Combining marks on one letter, more than any written language needs. More of them would paint over the lines around.
const MARKS_MOST: usize = 8;

/// Names that could be mistaken for the site itself, or for one of its addresses.
const RESERVED: [&str; 15] = [
    "admin",
    "administrator",
    "anonymous",
    "api",
    "console",
    "everyone",
    "live",
    "login",
    "me",
    "moderator",
    "perch",
    "root",
    "settings",
    "setup",
    "system",
];

/// An invalid field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct FieldError {
    /// The field's name in the API.
    pub field: &'static str,
    /// The reason, for the person who filled in the field.
    pub why: String,
}

impl FieldError {
    fn new(field: &'static str, why: impl Into<String>) -> Self {
        Self { field, why: why.into() }
    }
}

/// Checks one line: titles, messages, topics.
pub fn line(
    field: &'static str,
    text: &str,
    characters: RangeInclusive<usize>,
) -> Result<String, FieldError> {
    bounded(field, cleaned(field, text, false)?, characters)
}

/// Checks a text of several lines, which may be empty: descriptions, biographies.
pub fn paragraph(field: &'static str, text: &str, characters_most: usize) -> Result<String, FieldError> {
    bounded(field, cleaned(field, &text.replace("\r\n", "\n"), true)?, 0..=characters_most)
}

/// Checks a name of a person or the site; may be empty if `characters` allows it. No invisible characters, and no word
/// that mixes alphabets which look alike.
pub fn name(
    field: &'static str,
    text: &str,
    characters: RangeInclusive<usize>,
) -> Result<String, FieldError> {
    let name = bounded(field, cleaned(field, text, false)?, characters)?;
    refuse_leading_mark(field, &name)?;
    refuse_look_alikes(field, &name)?;
    if !name.is_empty() && !name.chars().any(char::is_alphanumeric) {
        return Err(FieldError::new(field, "must have a letter or a digit"));
    }
    Ok(name)
}

/// Checks a username: letters and digits of one script, `_`, `-` and `.`; not a reserved name.
pub fn username(text: &str) -> Result<String, FieldError> {
    const FIELD: &str = "username";
    // Compatibility forms look the same, so wide letters become normal ones.
    let name: String = text.nfkc().collect();
    let name = bounded(FIELD, cleaned(FIELD, &name, false)?, USERNAME_CHARACTERS)?;
    let fits = |c: char| c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '_' | '-' | '.');
    if let Some(wrong) = name.chars().find(|&c| !fits(c)) {
        let wrong = wrong.escape_debug();
        return Err(FieldError::new(
            FIELD,
            format!("may have letters, digits, \"_\", \"-\" and \".\", but not \"{wrong}\""),
        ));
    }
    refuse_leading_mark(FIELD, &name)?;
    refuse_look_alikes(FIELD, &name)?;
    if name.starts_with(['-', '.']) || name.ends_with(['-', '.']) || !name.contains(char::is_alphanumeric) {
        return Err(FieldError::new(
            FIELD,
            "must have a letter or a digit, and neither begin nor end with \"-\" or \".\"",
        ));
    }
    // UTS #39 makes a capital O of the digit 0.
    let looks = |name: &str| -> String { skeleton(name).flat_map(char::to_lowercase).collect() };
    let looks_like = looks(&name.to_lowercase());
    // In capitals, too: the digit 1 looks like a capital I.
    if RESERVED.iter().any(|name| [looks(name), looks(&name.to_uppercase())].contains(&looks_like)) {
        return Err(FieldError::new(FIELD, "is reserved: choose another one"));
    }
    Ok(name)
}

/// Checks a new password. Any characters are allowed, and it is hashed unchanged.
pub fn password(field: &'static str, text: &str) -> Result<(), FieldError> {
    if PASSWORD_CHARACTERS.contains(&text.chars().count()) {
        return Ok(());
    }
    let (least, most) = (PASSWORD_CHARACTERS.start(), PASSWORD_CHARACTERS.end());
    Err(FieldError::new(field, format!("must have {least} to {most} characters")))
}

/// Checks an e-mail address, which may be empty. Its existence is not checked.
pub fn email(text: &str) -> Result<String, FieldError> {
    const FIELD: &str = "email";
    let address = cleaned(FIELD, text, false)?;
    let Some((local, domain)) = address.rsplit_once('@') else {
        return if address.is_empty() { Ok(address) } else { Err(FieldError::new(FIELD, "must have an @")) };
    };
    let is_odd = |c: char| c.is_whitespace() || is_invisible(c) || "<>()[],;:\\\"@".contains(c);
    if address.len() > EMAIL_BYTES || local.len() > 64 {
        return Err(FieldError::new(
            FIELD,
            format!("must have at most {EMAIL_BYTES} bytes, 64 before the @"),
        ));
    }
    if local.is_empty()
        || domain.split('.').any(str::is_empty)
        || local.contains(is_odd)
        || domain.contains(is_odd)
    {
        return Err(FieldError::new(FIELD, "must be an address such as ann@example.org"));
    }
    Ok(address)
}

/// The stored form; the error names a forbidden character.
fn cleaned(field: &'static str, text: &str, has_lines: bool) -> Result<String, FieldError> {
    let text = text.trim();
    let mut marks = 0;
    for c in text.nfc() {
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks > MARKS_MOST {
            return Err(FieldError::new(field, format!("has more than {MARKS_MOST} marks on one letter")));
        }
        let is_break = matches!(c, '\n' | '\t') && has_lines;
        if c.is_control() && !is_break || matches!(c, '\u{2028}' | '\u{2029}') {
            return Err(FieldError::new(field, format!("has the control character {}", code_point(c))));
        }
        if turns_text_around(c) {
            let why = format!("has {}, which shows the text around it in another order", code_point(c));
            return Err(FieldError::new(field, why));
        }
    }
    Ok(text.nfc().collect())
}

fn bounded(
    field: &'static str,
    text: String,
    characters: RangeInclusive<usize>,
) -> Result<String, FieldError> {
    let count = text.chars().count();
    if characters.contains(&count) {
        return Ok(text);
    }
    Err(FieldError::new(
        field,
        match (*characters.start(), *characters.end()) {
            (_, most) if count > most => format!("must have at most {most} characters, this has {count}"),
            (1, _) => "must not be empty".to_owned(),
            (least, _) => format!("must have at least {least} characters, this has {count}"),
        },
    ))
}

/// A mark would be drawn on whatever stands before the name.
fn refuse_leading_mark(field: &'static str, name: &str) -> Result<(), FieldError> {
    match name.chars().next() {
        Some(first) if is_combining_mark(first) => {
            Err(FieldError::new(field, "must not begin with a mark that belongs on another letter"))
        }
        _ => Ok(()),
    }
}

fn refuse_look_alikes(field: &'static str, name: &str) -> Result<(), FieldError> {
    if let Some(hidden) = name.chars().find(|&c| is_invisible(c)) {
        return Err(FieldError::new(field, format!("has {}, which nobody can see", code_point(hidden))));
    }
    let words = name.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c));
    // A word of one script, or of scripts that are written together and look different, as Latin in Japanese (UTS #39 §5.2).
    let is_plain = |word: &str| {
        word.is_single_script() || word.check_restriction_level(RestrictionLevel::HighlyRestrictive)
    };
    if let Some(mixed) = words.filter(|word| !word.is_empty()).find(|word| !is_plain(word)) {
        return Err(FieldError::new(field, format!("mixes alphabets that look alike in \"{mixed}\"")));
    }
    Ok(())
}

/// Bidirectional embeddings, overrides and isolates (UAX #9 §2.1 to 2.5).
fn turns_text_around(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `Default_Ignorable_Code_Point` (UAX #44), and the blank of Braille.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_kept_composed_and_trimmed_and_counted_in_characters() {
        assert_eq!(line("title", "  Cafe\u{301} \u{3000}\n", 1..=4).unwrap(), "Café");
        assert_eq!(line("title", "🐦👩‍👩‍👧 نص עברית", 1..=100).unwrap(), "🐦👩‍👩‍👧 نص עברית");
        assert_eq!(line("title", " \u{a0} ", 1..=4).unwrap_err().why, "must not be empty");
        let long = line("title", &"é".repeat(101), 1..=100).unwrap_err();
        assert_eq!(
            (long.field, long.why.as_str()),
            ("title", "must have at most 100 characters, this has 101")
        );
    }

    #[test]
    fn what_would_disturb_other_text_is_refused() {
        for wrong in [
            "a\u{0}b",
            "a\nb",
            "a\tb",
            "a\u{85}b",
            "a\u{1b}[2J",
            "\u{7f}",
            "a\u{202e}gpj",
            "\u{2066}a",
            "a\u{2028}b",
        ] {
            assert!(line("title", wrong, 0..=100).is_err(), "{wrong:?}");
        }
        assert!(
            line("text", &format!("e{}", "\u{316}".repeat(50)), 0..=100).unwrap_err().why.contains("marks")
        );
        assert_eq!(paragraph("bio", "one\r\ntwo\n\tthree\n\n", 20).unwrap(), "one\ntwo\n\tthree");
        assert!(paragraph("bio", "a\rb", 20).is_err());
        assert!(paragraph("bio", "\u{202e}a", 20).is_err());
    }

    #[test]
    fn usernames_are_of_any_one_script() {
        for good in [
            "ann",
            "Ann_7",
            "josé",
            "Лена",
            "太郎",
            "taro太郎",
            "서연",
            "नमस्ते",
            "مريم",
            "ελένη",
            "a.b-c",
            "_x_",
            "7",
        ] {
            assert_eq!(username(good).as_deref(), Ok(good));
        }
        assert_eq!(username("ａｎｎ").unwrap(), "ann");
        for bad in [
            "",
            " ",
            "a b",
            "a/b",
            "..",
            ".",
            "-",
            "_",
            ".ann",
            "ann.",
            "-ann",
            "a?b",
            "a%2fb",
            "ann@home",
            "<b>",
            "\u{430}nn",
            "pаypal",
            "ann\u{200b}",
            "ann\u{200d}",
            "\u{3164}",
            "a\u{fe0f}",
            "a\u{34f}nn",
            "a\u{ad}b",
            "🐦",
            "abcdefghijklmnopqrstu",
            "a\u{202e}b",
            "\u{301}ann",
            "\u{93e}न",
        ] {
            assert_eq!(username(bad).unwrap_err().field, "username", "{bad:?}");
        }
    }

    #[test]
    fn nobody_is_called_as_the_site_is() {
        for reserved in ["me", "Live", "ADMIN", "ａｄｍｉｎ", " root ", "rnoderator", "r0ot", "l1ve"] {
            assert!(username(reserved).unwrap_err().why.contains("reserved"), "{reserved}");
        }
        assert!(username("meadow").is_ok());
    }

    #[test]
    fn names_are_seen_as_they_are() {
        for good in ["", "Ann O’Brien-Łódź", "Лена (Lena)", "山田 Tarō", "D'Arcy 3rd", "عمر"] {
            assert_eq!(name("full_name", good, 0..=50).as_deref(), Ok(good));
        }
        for bad in
            ["\u{301}Ann", " \u{93e}न", "Lеna", "a\u{200b}b", "\u{feff}Ann", "\u{3164}", "…", "A\u{202e}b"]
        {
            assert!(name("full_name", bad, 0..=50).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn passwords_have_bounds_and_nothing_else() {
        assert!(password("password", "8 chars!").is_ok());
        assert!(password("password", &"ß".repeat(128)).is_ok());
        assert_eq!(password("new_password", "1234567").unwrap_err().field, "new_password");
        assert!(password("password", &"a".repeat(129)).is_err());
    }

    #[test]
    fn an_address_is_one_or_none() {
        assert_eq!(email(" ").unwrap(), "");
        for good in ["ann@example.org", "ann+perch@localhost", "лена@почта.рф"] {
            assert_eq!(email(good).as_deref(), Ok(good));
        }
        for bad in ["ann", "@b", "a@", "a@b..c", "a@.b", "a b@c", "a@b@c", "<a@b>", "a@b, c@d", "a\u{200b}@b"]
        {
            assert_eq!(email(bad).unwrap_err().field, "email", "{bad:?}");
        }
        assert!(email(&format!("{}@b", "a".repeat(65))).is_err());
    }

    proptest! {
        /// An accepted text is accepted again, unchanged: stored texts can be sent back as they are.
        #[test]
        fn accepted_texts_are_stable(text in "\\PC{0,30}|[a-zа-я._-]{0,22}") {
            if let Ok(once) = line("f", &text, 0..=100) { prop_assert_eq!(line("f", &once, 0..=100), Ok(once)); }
            if let Ok(once) = paragraph("f", &text, 100) { prop_assert_eq!(paragraph("f", &once, 100), Ok(once)); }
            if let Ok(once) = name("f", &text, 0..=100) { prop_assert_eq!(name("f", &once, 0..=100), Ok(once)); }
            if let Ok(once) = username(&text) { prop_assert_eq!(username(&once), Ok(once)); }
        }
    }
}
