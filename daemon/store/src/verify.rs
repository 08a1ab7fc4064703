//! Recounts everything: every count from its rows, every index from its records. Used by tests, before restoring a
//! backup, and for a person who suspects damage.

use crate::failure::Outcome;
use crate::reads::Reads as _;
use crate::record::{self, Record};
use crate::relation::Relation;
use crate::search::{index, words};
use crate::sessions::Session;
use crate::tables::{
    AVATARS, CAMERA_CLAIMS, CHAT_RULES, FILED, FOLLOWS, INGEST_KEY_USERS, INGEST_KEYS, MESSAGE_OFFSETS,
    MESSAGES, NOTIFICATIONS, PASSWORDS, PREPARED_STREAMS, REACTED, RECORDINGS, SESSION_TOKENS, SESSIONS,
    STREAM_DETAILS, STREAM_FACTS, STREAM_LISTS, STREAM_ORDINALS, THUMBNAILS, TOKENS, TOPIC_NAMES, TOPICS,
    USER_SESSIONS, USER_WORDS, USERNAMES, USERS, VIEWS, WATCH_LIST,
};
use crate::{
    Message, NOTIFICATIONS_PER_USER, PreparedStream, Reaction, Recording, RecordingState, Store, StoreError,
    StreamDetails, StreamFacts, StreamState, Topic, TopicId, User, lists, skeletons, users,
};
use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, TableDefinition, Value};
use std::collections::{BTreeMap, BTreeSet};

impl Store {
    /// All inconsistencies, in words; empty for a sound store. Reads the whole file.
    pub fn verify(&self) -> Result<Vec<String>, StoreError> {
        self.read(|tx| {
            let mut check = Check { tx, wrong: Vec::new() };
            let users = check.users()?;
            check.sessions(&users)?;
            let streams = check.streams(&users)?;
            let topics = check.topics()?;
            check.relation("follow", &FOLLOWS, &users, &users)?;
            check.relation("reaction", &REACTED, &streams, &users)?;
            check.relation("watch list", &WATCH_LIST, &users, &streams)?;
            check.relation("topic of a stream", &FILED, &streams, &topics)?;
            check.search_index()?;
            check.lists()?;
            check.messages(&streams)?;
            check.notifications(&users)?;
            check.recordings(&streams)?;
            check.wrong.extend(skeletons::verify(tx)?);
            check.orphans("avatar", AVATARS, &users)?;
            check.orphans("thumbnail", THUMBNAILS, &streams)?;
            check.orphans("set of chat rules", CHAT_RULES, &streams)?;
            Ok(check.wrong)
        })
    }
}

type Ids = BTreeSet<u128>;

struct Check<'a> {
    tx: &'a ReadTransaction,
    wrong: Vec<String>,
}

impl Check<'_> {
    fn must(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(otherwise());
        }
    }

    fn records<R: Record>(&self, table: TableDefinition<u128, &'static [u8]>) -> Outcome<BTreeMap<u128, R>> {
        let rows = self.tx.open_table(table)?;
        rows.iter()?
            .map(|row| {
                let (key, value) = row?;
                Ok((key.value(), record::decode(value.value())?))
            })
            .collect()
    }

    fn users(&mut self) -> Outcome<Ids> {
        let users: BTreeMap<u128, User> = self.records(USERS)?;
        let names = self.tx.open_table(USERNAMES)?;
        let passwords = self.tx.open_table(PASSWORDS)?;
        let words_kept = self.tx.open_table(USER_WORDS)?;
        let mut words_due = 0;
        for (&id, user) in &users {
            let holder = names.get(words::name_key(&user.username).as_str())?.map(|holder| holder.value());
            self.must(holder == Some(id), || format!("{} is not found by its name", user.username));
            let has_password = passwords.get(id)?.is_some();
            self.must(has_password, || format!("{} has no password", user.username));
            for word in users::words_of(user) {
                words_due += 1;
                let found = words_kept.get((word.as_str(), id))?.is_some();
                self.must(found, || format!("{} is not found by {word}", user.username));
            }
        }
        let count = users.len() as u64;
        self.must(names.len()? == count, || "there are names without accounts".to_owned());
        self.must(passwords.len()? == count, || "there are passwords without accounts".to_owned());
        self.must(words_kept.len()? == words_due, || "there are words without accounts".to_owned());

        let keys = self.tx.open_table(INGEST_KEYS)?;
        let key_users = self.tx.open_table(INGEST_KEY_USERS)?;
        self.must(keys.len()? == key_users.len()?, || "ingest keys and their accounts differ".to_owned());
        for row in keys.iter()? {
            let (user, key) = row?;
            let holder = key_users.get(key.value().0)?.map(|holder| holder.value());
            let fits = holder == Some(user.value()) && users.contains_key(&user.value());
            self.must(fits, || "an ingest key belongs to another account".to_owned());
        }
        let prepared: BTreeMap<u128, PreparedStream> = self.records(PREPARED_STREAMS)?;
        let fits = prepared.keys().all(|user| users.contains_key(user));
        self.must(fits, || "a stream is prepared for no account".to_owned());
        Ok(users.into_keys().collect())
    }

    fn sessions(&mut self, users: &Ids) -> Outcome<()> {
        let sessions: BTreeMap<u128, Session> = self.records(SESSIONS)?;
        let of_users = self.tx.open_table(USER_SESSIONS)?;
        let tokens = self.tx.open_table(TOKENS)?;
        let session_tokens = self.tx.open_table(SESSION_TOKENS)?;
        for (&id, session) in &sessions {
            let user = session.user.number();
            let listed = of_users.get((user, id))?.is_some() && users.contains(&user);
            self.must(listed, || format!("login {} is not listed with its account", session.id));
            let current = tokens.get(session.current())?.map(|row| row.value());
            let due = Some((id, session.expires_at.unix_millis()));
            self.must(current == due, || format!("login {} is not found by its token", session.id));
        }
        let fits = of_users.len()? == sessions.len() as u64;
        self.must(fits, || "there are closed logins in the list".to_owned());
        self.must(tokens.len()? == session_tokens.len()?, || "tokens and their logins differ".to_owned());
        for row in session_tokens.iter()? {
            let (key, ()) = row.map(|(key, value)| (key, value.value()))?;
            let (session, expires_at, digest) = key.value();
            let token = tokens.get(digest)?.map(|row| row.value());
            let fits = token == Some((session, expires_at)) && sessions.contains_key(&session);
            self.must(fits, || "a token belongs to another login".to_owned());
        }
        Ok(())
    }

    fn streams(&mut self, users: &Ids) -> Outcome<Ids> {
        let facts: BTreeMap<u128, StreamFacts> = self.records(STREAM_FACTS)?;
        let details: BTreeMap<u128, StreamDetails> = self.records(STREAM_DETAILS)?;
        let same = facts.keys().eq(details.keys());
        self.must(same, || "some streams have facts without details, or details without facts".to_owned());
        let mut counted: BTreeMap<u128, (u64, u64, u64)> = BTreeMap::new();
        for row in self.tx.open_table(VIEWS)?.iter()? {
            counted.entry(row?.0.value().0).or_default().0 += 1;
        }
        for row in self.tx.open_table(REACTED.forward)?.iter()? {
            let (key, code) = row?;
            let counts = counted.entry(key.value().0).or_default();
            match Reaction::from_code(code.value())? {
                Reaction::Like => counts.1 += 1,
                Reaction::Dislike => counts.2 += 1,
            }
        }
        let claims = self.tx.open_table(CAMERA_CLAIMS)?;
        let mut unfinished = 0;
        for (id, stream) in &facts {
            let due = counted.remove(id).unwrap_or_default();
            let found = (stream.views, stream.likes, stream.dislikes);
            self.must(found == due, || format!("stream {}: counts {found:?} should be {due:?}", stream.id));
            self.must(users.contains(&stream.user.number()), || {
                format!("stream {} has no account", stream.id)
            });
            if stream.state != StreamState::Ended
                && let Some(details) = details.get(id)
            {
                unfinished += 1;
                let holder = claims.get(details.camera.as_str())?.map(|holder| holder.value());
                self.must(holder == Some(*id), || format!("stream {} has lost its camera", stream.id));
            }
            let ended = stream.state == StreamState::Ended;
            let fits = ended == stream.ended_at.is_some() && ended == stream.end_reason.is_some();
            self.must(fits, || format!("stream {}: its end and its state disagree", stream.id));
        }
        self.must(counted.is_empty(), || "there are views or reactions without a stream".to_owned());
        self.must(claims.len()? == unfinished, || "there are camera claims without a stream".to_owned());
        Ok(facts.into_keys().collect())
    }

    fn recordings(&mut self, streams: &Ids) -> Outcome<()> {
        for (id, recording) in self.records::<Recording>(RECORDINGS)? {
            let is_known = streams.contains(&id) || recording.state == RecordingState::Deleted;
            self.must(is_known && recording.stream.number() == id, || {
                format!("the recording {} is of no stream", recording.name)
            });
        }
        Ok(())
    }

    fn topics(&mut self) -> Outcome<Ids> {
        let topics: BTreeMap<u128, Topic> = self.records(TOPICS)?;
        let names = self.tx.open_table(TOPIC_NAMES)?;
        for (&id, topic) in &topics {
            let holder = names.get(words::name_key(&topic.name).as_str())?.map(|holder| holder.value());
            self.must(holder == Some(id), || format!("the topic {} is not found by its name", topic.name));
        }
        let fits = names.len()? == topics.len() as u64;
        self.must(fits, || "there are names without topics".to_owned());
        Ok(topics.into_keys().collect())
    }

    fn relation(&mut self, what: &str, relation: &Relation, lefts: &Ids, rights: &Ids) -> Outcome<()> {
        let forward = self.tx.open_table(relation.forward)?;
        let backward = self.tx.open_table(relation.backward)?;
        self.must(forward.len()? == backward.len()?, || format!("{what}: the two directions differ"));
        for row in forward.iter()? {
            let (key, value) = row?;
            let (left, right) = key.value();
            let back = backward.get((right, left))?.map(|back| back.value());
            self.must(back == Some(value.value()), || format!("{what}: one direction is missing"));
            let fits = lefts.contains(&left) && rights.contains(&right);
            self.must(fits, || format!("{what}: one end is missing"));
        }
        Ok(())
    }

    fn search_index(&mut self) -> Outcome<()> {
        let facts: BTreeMap<u128, StreamFacts> = self.records(STREAM_FACTS)?;
        let details: BTreeMap<u128, StreamDetails> = self.records(STREAM_DETAILS)?;
        let (mut due, mut wrong) = (0, 0);
        for (id, facts) in &facts {
            for (term, weight) in details.get(id).map(index::terms).unwrap_or_default() {
                due += 1;
                wrong += usize::from(index::weight(self.tx, &term, facts.ordinal)? != Some(weight));
            }
        }
        self.must(wrong == 0, || format!("the search index lacks {wrong} words of streams"));
        let found = index::count(self.tx)?;
        self.must(found == due, || format!("the search index has {found} entries, should have {due}"));
        Ok(())
    }

    fn lists(&mut self) -> Outcome<()> {
        let facts: BTreeMap<u128, StreamFacts> = self.records(STREAM_FACTS)?;
        let rows = self.tx.open_table(STREAM_LISTS)?;
        let ordinals = self.tx.open_table(STREAM_ORDINALS)?;
        let mut count = 0;
        for (&id, facts) in &facts {
            let topics = FILED.rights(self.tx, id)?.into_iter().map(|(topic, _)| TopicId::from_number(topic));
            for (key, ordinal) in lists::due(facts, &topics.collect::<Vec<_>>()) {
                count += 1;
                let found = rows.get(key)?.map(|found| found.value());
                self.must(found == Some(ordinal), || format!("stream {} is missing in a list", facts.id));
            }
            let found = ordinals.get(facts.ordinal)?.map(|found| found.value());
            self.must(found == Some(id), || format!("stream {} is not found by its number", facts.id));
        }
        self.must(rows.len()? == count, || "there are streams in lists that are not there".to_owned());
        self.must(ordinals.len()? == facts.len() as u64, || "there are numbers without a stream".to_owned());
        Ok(())
    }

    /// Rows that belong to a deleted account or stream.
    fn orphans<V: Value>(
        &mut self,
        what: &str,
        table: TableDefinition<u128, V>,
        owners: &Ids,
    ) -> Outcome<()> {
        for row in self.tx.open_table(table)?.iter()? {
            let owner = row?.0.value();
            self.must(owners.contains(&owner), || format!("there is a {what} without an owner"));
        }
        Ok(())
    }

    fn messages(&mut self, streams: &Ids) -> Outcome<()> {
        let offsets = self.tx.open_table(MESSAGE_OFFSETS)?;
        let mut count = 0;
        for row in self.tx.open_table(MESSAGES)?.iter()? {
            let (key, value) = row?;
            let (stream, id) = key.value();
            let message: Message = record::decode(value.value())?;
            count += 1;
            let placed = offsets.get((stream, message.offset_ms, id))?.is_some();
            self.must(placed && message.id.number() == id, || {
                format!("message {} is missing at its offset", message.id)
            });
            self.must(streams.contains(&stream), || format!("message {} has no stream", message.id));
        }
        self.must(offsets.len()? == count, || "there are offsets without messages".to_owned());
        Ok(())
    }

    fn notifications(&mut self, users: &Ids) -> Outcome<()> {
        let mut counts: BTreeMap<u128, usize> = BTreeMap::new();
        for row in self.tx.reading(NOTIFICATIONS)?.iter()? {
            *counts.entry(row?.0.value().0).or_default() += 1;
        }
        for (user, count) in counts {
            self.must(users.contains(&user), || "there are notifications without an account".to_owned());
            self.must(count <= NOTIFICATIONS_PER_USER, || "an account has too many notifications".to_owned());
        }
        Ok(())
    }
}
