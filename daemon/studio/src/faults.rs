//! Present faults, in words: reported by the parts themselves, read by the page, the API, the log, the lamp and
//! `/readyz`.

use std::collections::BTreeMap;
use tokio::sync::watch;

/// The part named when the card takes no writes.
pub const CARD: &str = "card";
/// The part named when a stream that should be recorded is not.
pub const RECORDING: &str = "recording";
/// The part named when the disk of the recordings is slow.
pub const SLOW_DISK: &str = "disk of the recordings";

/// The faults of all parts; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(watch::Sender<BTreeMap<&'static str, String>>);

impl Faults {
    /// Reports that a part does not work, in a sentence that says what to do. Logged when it is new.
    pub fn tell(&self, part: &'static str, words: &str) {
        let is_news = self.0.send_if_modified(|faults| {
            let is_news = faults.get(part).is_none_or(|known| known != words);
            if is_news {
                faults.insert(part, words.to_owned());
            }
            is_news
        });
        if is_news {
            tracing::warn!("{words}");
        }
    }

    /// Reports that the part works, or works again.
    pub fn clear(&self, part: &'static str) {
        if self.0.send_if_modified(|faults| faults.remove(part).is_some()) {
            tracing::info!("the {part} is all right again");
        }
    }

    /// The fault of this part.
    pub fn of(&self, part: &str) -> Option<String> {
        self.0.borrow().get(part).cloned()
    }

    /// All faults, a sentence each.
    pub fn in_words(&self) -> Vec<String> {
        self.0.borrow().values().cloned().collect()
    }

    /// True if there are any.
    pub fn any(&self) -> bool {
        !self.0.borrow().is_empty()
    }

    /// A receiver for waiting for changes.
    pub fn changes(&self) -> watch::Receiver<BTreeMap<&'static str, String>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_news_once_and_goes_when_the_part_works_again() {
        let faults = Faults::default();
        let mut changes = faults.changes();
        faults.tell("button", "The button is not there.");
        assert!(changes.has_changed().unwrap() && faults.any());
        changes.mark_unchanged();
        faults.tell("button", "The button is not there.");
        assert!(!changes.has_changed().unwrap());
        faults.tell("lamp", "The lamp is not there.");
        assert_eq!(faults.in_words(), ["The button is not there.", "The lamp is not there."]);
        faults.clear("button");
        faults.clear("lamp");
        assert!(!faults.any());
    }
}
