//! Watches the card while the daemon runs: one that takes no writes is reported as a fault, on the page, by the lamp and in
//! `/readyz`.

use perch_store::Store;
use perch_studio::clock::{Clock, next_round};
use perch_studio::faults::{CARD, Faults};
use std::sync::Arc;
use std::time::Duration;

/// Interval of the checks, and so the delay until a failing card, or a working one, is noticed.
const LOOK: Duration = Duration::from_secs(5);

/// Runs until it is aborted.
pub async fn watch(store: Arc<Store>, faults: Faults, clock: Arc<dyn Clock>) {
    loop {
        let looked_at = store.clone();
        match tokio::task::spawn_blocking(move || looked_at.check_card()).await {
            Ok(Ok(())) => faults.clear(CARD),
            Ok(Err(words)) => faults.tell(CARD, &sentence(&words)),
            // The runtime ends.
            Err(_) => return,
        }
        next_round(&*clock, LOOK).await;
    }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_an_error_become_a_sentence() {
        assert_eq!(sentence("the card fails"), "The card fails.");
        assert_eq!(sentence(""), "");
    }
}
