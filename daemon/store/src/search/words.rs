//! Normalises text for searching (words without case, accents and compatibility forms, Unicode UAX #15) and names for comparing.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Letters of a word that count; a longer word is found by its first letters.
const LETTERS_MOST: usize = 32;

/// A name's key for comparing: ignores case and compatibility forms, but not accents.
pub(crate) fn name_key(name: &str) -> String {
    name.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// The words of a text, in order. Ideographs and kana, which are written without spaces, are words of one letter each.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> {
    let mut letters = text.nfkd().filter(|&c| !is_combining_mark(c) && !is_joined(c)).peekable();
    std::iter::from_fn(move || {
        while letters.next_if(|c| !c.is_alphanumeric()).is_some() {}
        let mut word = String::new();
        let mut count = 0;
        while let Some(letter) = letters.next_if(|&c| c.is_alphanumeric() && (count == 0 || !stands_alone(c)))
        {
            if count < LETTERS_MOST {
                fold(letter, &mut word);
            }
            count += 1;
            if stands_alone(letter) {
                break;
            }
        }
        (count > 0).then_some(word)
    })
}

/// Marks inside a word that most people leave out: "don't", "l'été".
fn is_joined(c: char) -> bool {
    matches!(c, '\'' | '’' | '\u{ad}' | '\u{200c}' | '\u{200d}')
}

fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// Lower case, and letters that Unicode does not decompose, but people do.
fn fold(letter: char, word: &mut String) {
    for lower in letter.to_lowercase().filter(|&c| !is_combining_mark(c)) {
        match lower {
            'ß' => word.push_str("ss"),
            'æ' => word.push_str("ae"),
            'œ' => word.push_str("oe"),
            'ø' => word.push('o'),
            'ł' => word.push('l'),
            'đ' | 'ð' => word.push('d'),
            'þ' => word.push_str("th"),
            'ı' => word.push('i'),
            'ς' => word.push('σ'),
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(text: &str) -> Vec<String> {
        words(text).collect()
    }

    #[test]
    fn case_accents_and_width_do_not_count() {
        assert_eq!(words_of("Žluťoučký KŮŇ"), ["zlutoucky", "kun"]);
        assert_eq!(words_of("Cafe\u{301} ＣＡＦÉ"), ["cafe", "cafe"]);
        assert_eq!(words_of("Straße, STRASSE"), ["strasse", "strasse"]);
        assert_eq!(words_of("İstanbul Łódź Smørrebrød"), ["istanbul", "lodz", "smorrebrod"]);
        assert_eq!(words_of("ΟΔΟΣ οδός"), ["οδοσ", "οδοσ"]);
    }

    #[test]
    fn words_end_at_whatever_is_no_letter_or_digit() {
        assert_eq!(words_of("  bird-feeder #2: don't_move!"), ["bird", "feeder", "2", "dont", "move"]);
        assert_eq!(words_of("東京タワー live"), ["東", "京", "タ", "ワ", "ー", "live"]);
        assert_eq!(words_of("…\u{0}"), Vec::<String>::new());
    }

    #[test]
    fn a_word_without_end_is_cut() {
        assert_eq!(words_of(&"x".repeat(5000)), ["x".repeat(LETTERS_MOST)]);
    }

    #[test]
    fn names_differ_by_accent_but_not_by_case() {
        assert_eq!(name_key("JOSÉ"), name_key("jose\u{301}"));
        assert_ne!(name_key("José"), name_key("Jose"));
    }
}
