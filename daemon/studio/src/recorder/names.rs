//! Names of a recording's files: `2026-11-28 07.30 Nest box 8F3K2Q.mp4`.
//!
//! The date is the first picture's, in the board's local time. The title is changed so that every file system accepts it, including FAT and
//! exFAT. The last six characters of the stream's id make the name unique, and stay when the date is corrected.

use perch_store::{StreamId, Timestamp};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// Longest name in bytes, without part number and extension.
const LONGEST: usize = 80;
/// Extension of a storyboard's file.
pub(super) const STORYBOARD: &str = "storyboard";
/// Number of the id's last characters at the end of a name: 30 random bits.
const ID_CHARACTERS: usize = 6;

/// The name of a recording. `offset_seconds` is the difference from UTC to local time.
pub(super) fn name(started_at: Timestamp, offset_seconds: i32, title: &str, stream: StreamId) -> String {
    let id = id_part(stream);
    let date = date(started_at, offset_seconds);
    let title = safe_title(title, LONGEST - date.len() - id.len() - 2);
    if title.is_empty() { format!("{date} {id}") } else { format!("{date} {title} {id}") }
}

/// The text that the names of all files of a stream's recording contain.
pub(super) fn id_part(stream: StreamId) -> String {
    let id = stream.to_string();
    id[id.len() - ID_CHARACTERS..].to_owned()
}

/// The id's part of a name made by [`name`].
pub(super) fn id_of(name: &str) -> Option<&str> {
    name.len().checked_sub(ID_CHARACTERS).and_then(|at| name.get(at..))
}

/// `2026-11-28 07.30`: FAT allows no colon in a name.
fn date(at: Timestamp, offset_seconds: i32) -> String {
    let seconds = at.unix_millis().div_euclid(1000).saturating_add(offset_seconds.into());
    let local = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = local.to_calendar_date();
    format!("{year:04}-{:02}-{day:02} {:02}.{:02}", u8::from(month), local.hour(), local.minute())
}

/// A title as a part of a file's name, of `most` bytes at most. Every file system takes it; it may be empty.
pub fn safe_title(title: &str, most: usize) -> String {
    // U+202A to U+202E and U+2066 to U+2069 change the direction of the text after them, including the extension.
    let is_unsafe = |letter: char| {
        letter.is_control()
            || matches!(letter, '\\' | '/' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
            || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let spaced: String = title.chars().map(|letter| if is_unsafe(letter) { ' ' } else { letter }).collect();
    let mut name = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    while name.len() > most {
        name.pop();
    }
    name.trim_matches([' ', '.']).to_owned()
}

/// File name of a part, with this extension. Parts count from 1.
pub(super) fn file(folder: &Path, name: &str, part: u32, extension: &str) -> PathBuf {
    if part <= 1 {
        folder.join(format!("{name}.{extension}"))
    } else {
        folder.join(format!("{name} part {part}.{extension}"))
    }
}

/// Splits a file name into the recording's name, the part and the extension; `None` if it is no file of a recording.
pub(super) fn taken_apart(file: &str) -> Option<(&str, u32, &str)> {
    let (stem, extension) = file.rsplit_once('.')?;
    if !matches!(extension, "mp4" | "index" | "json" | STORYBOARD) {
        return None;
    }
    if let Some((name, part)) = stem.rsplit_once(" part ")
        && let Ok(part) = part.parse()
    {
        return (part > 1).then_some((name, part, extension));
    }
    Some((stem, 1, extension))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = "01KB5VV5A0T3Y6Y0R9WQX3W4NM";

    fn named(millis: i64, offset: i32, title: &str) -> String {
        name(Timestamp::from_unix_millis(millis), offset, title, STREAM.parse().unwrap())
    }

    #[test]
    fn a_name_says_when_and_what() {
        let morning = 1_795_851_000_000;
        assert_eq!(named(morning, 0, "Nest box"), "2026-11-28 07.30 Nest box X3W4NM");
        assert_eq!(named(morning, 3600, "Nest: \"day/night\"?"), "2026-11-28 08.30 Nest day night X3W4NM");
        assert_eq!(named(morning, -8 * 3600, " . . "), "2026-11-27 23.30 X3W4NM");
        assert_eq!(named(0, 0, "a\u{202e}4pm"), "1970-01-01 00.00 a 4pm X3W4NM");
    }

    #[test]
    fn files_are_told_apart_again() {
        let folder = Path::new("/f");
        for (part, file_name) in [(1, "n.mp4"), (2, "n part 2.mp4"), (11, "n part 11.mp4")] {
            let path = file(folder, "n", part, "mp4");
            assert_eq!(path, folder.join(file_name));
            assert_eq!(taken_apart(file_name), Some(("n", part, "mp4")));
        }
        assert_eq!(taken_apart("Owls part two.json"), Some(("Owls part two", 1, "json")));
        for foreign in ["n.txt", "n", "n part 1.mp4", "n part 0.mp4"] {
            assert_eq!(taken_apart(foreign), None);
        }
    }

    proptest! {
        #[test]
        fn every_file_system_takes_any_title(title in any::<String>(), millis in any::<i64>(), offset in -50_000..50_000) {
            let name = named(millis, offset, &title);
            prop_assert!(name.len() <= LONGEST, "{}", name.len());
            prop_assert!(name.ends_with("X3W4NM") && !name.starts_with(' '));
            prop_assert!(!name.chars().any(|letter| letter.is_control() || "\\/:*?\"<>|".contains(letter)));
            prop_assert_eq!(taken_apart(&format!("{name}.mp4")).map(|(_, part, _)| part), Some(1));
        }
    }
}
