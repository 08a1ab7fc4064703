//! Text in HTML and XML.

use std::fmt;

/// A text that is written so that it is only text, in elements and in quoted attributes of HTML and of XML 1.0.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // What XML 1.0 §2.2 has no place for.
                '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        let text = Escaped("<b title='\"x\"'>&amp;\u{1}\u{fffe}é</b>\n").to_string();
        assert_eq!(text, "&lt;b title=&#39;&quot;x&quot;&#39;&gt;&amp;amp;é&lt;/b&gt;\n");
    }
}
