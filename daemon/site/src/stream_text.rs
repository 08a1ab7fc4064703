//! Checks a stream's title, description and topics.

use crate::error::SiteError;
use crate::text::{self, FieldError};
use perch_store::{Store, TOPICS_PER_STREAM, TopicId};
use std::collections::HashSet;

/// Characters of a title at most.
const TITLE_CHARACTERS: usize = 100;
/// Characters of a description at most.
const DESCRIPTION_CHARACTERS: usize = 5000;

/// The title in its stored form.
///
/// # Errors
///
/// A [`FieldError`] of `title`: empty, too long, or not one line.
pub fn title(text: &str) -> Result<String, FieldError> {
    text::line("title", text, 1..=TITLE_CHARACTERS)
}

/// The description in its stored form.
///
/// # Errors
///
/// A [`FieldError`] of `description`.
pub fn description(text: &str) -> Result<String, FieldError> {
    text::paragraph("description", text, DESCRIPTION_CHARACTERS)
}

/// The topics with these ids, without duplicates. Blocks.
///
/// # Errors
///
/// `Field` for `topics`: too many, or an unknown one; and those of the store.
pub fn topics(store: &Store, asked: &[String]) -> Result<Vec<TopicId>, SiteError> {
    let refused = |why: String| SiteError::from(FieldError { field: "topics", why });
    if asked.len() > TOPICS_PER_STREAM {
        return Err(refused(format!("at most {TOPICS_PER_STREAM} topics")));
    }
    let known: HashSet<TopicId> = store.topics()?.into_iter().map(|topic| topic.id).collect();
    let mut ids = Vec::new();
    for id in asked {
        let id = id.parse().ok().filter(|id| known.contains(id));
        let id = id.ok_or_else(|| refused("there is no such topic".to_owned()))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::Timestamp;

    #[test]
    fn topics_are_those_that_there_are_and_each_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("perch.redb")).unwrap();
        let now = Timestamp::from_unix_millis(0);
        let birds = store.add_topic("Birds", now).unwrap().id;
        let nests = store.add_topic("Nests", now).unwrap().id;
        let ids = |asked: &[&str]| topics(&store, &asked.iter().map(ToString::to_string).collect::<Vec<_>>());
        let [b, n] = [birds, nests].map(|id| id.to_string());
        assert_eq!(ids(&[]).unwrap(), []);
        assert_eq!(ids(&[&n, &b, &n]).unwrap(), [nests, birds]);
        for wrong in [&["x"][..], &[&b, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"], &["x"; TOPICS_PER_STREAM + 1]] {
            let refused = ids(wrong);
            assert!(
                matches!(&refused, Err(SiteError::Field(error)) if error.field == "topics"),
                "{refused:?}"
            );
        }
    }
}
