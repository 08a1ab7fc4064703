//! Recounts everything: every count from its rows, every index from its records, and decodes every record. Used by tests, before
//! restoring a backup, and for a person who suspects damage. Rows are read one by one: a file may be larger than the memory.

use crate::api_tokens::ApiToken;
use crate::failure::Outcome;
use crate::record::{self, Record};
use crate::relation::{self, Relation};
use crate::search::{index, words};
use crate::sessions::Session;
use crate::tables::{
    self, API_TOKEN_DIGESTS, API_TOKENS, AVATARS, CAMERA_CLAIMS, CHAT_RULES, FILED, FOLLOWS,
    INGEST_KEY_USERS, INGEST_KEYS, MESSAGE_OFFSETS, MESSAGES, NOTIFICATIONS, PASSWORDS, PREPARED_STREAMS,
    REACTED, RECORDINGS, RESTRICTIONS, SESSION_TOKENS, SESSIONS, SETTINGS, STREAM_DETAILS, STREAM_FACTS,
    STREAM_LISTS, STREAM_ORDINALS, THUMBNAILS, TOKENS, TOPIC_NAMES, TOPICS, USER_SESSIONS, USER_WORDS,
    USERNAMES, USERS, VIEWS, WATCH_LIST, WEBHOOK_DELIVERIES, WEBHOOKS,
};
use crate::{
    ChatRules, Message, NOTIFICATIONS_PER_USER, Notification, PICTURE_BYTES, PreparedStream, RELAYS_MOST,
    Reaction, Recording, RecordingState, Restriction, Store, StoreError, StreamDetails, StreamFacts,
    StreamState, TOPICS_MOST, Topic, TopicId, User, Webhook, WebhookDelivery, lists, relays, settings,
    skeletons, user,
};
use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, TableDefinition,
    TableHandle as _, Value,
};

/// Inconsistencies that are named; a file that has more is beyond repair.
const NAMED_MOST: usize = 100;

impl Store {
    /// Inconsistencies in words, at most 100; empty for a sound store. Reads the whole file.
    pub fn verify(&self) -> Result<Vec<String>, StoreError> {
        self.read(|tx| {
            let mut check = Check { tx, wrong: Vec::new() };
            check.tables()?;
            check.users()?;
            check.ingest()?;
            check.sessions()?;
            check.api_tokens()?;
            check.webhooks()?;
            check.streams()?;
            check.lists()?;
            check.topics()?;
            check.relation("follow", &FOLLOWS, USERS, USERS)?;
            check.relation("reaction", &REACTED, STREAM_FACTS, USERS)?;
            check.relation("watch list", &WATCH_LIST, USERS, STREAM_FACTS)?;
            check.relation("topic of a stream", &FILED, STREAM_FACTS, TOPICS)?;
            check.messages()?;
            check.notifications()?;
            check.recordings()?;
            check.restrictions()?;
            check.settings()?;
            check.wrong.extend(skeletons::verify(tx)?);
            check.pictures("avatar", AVATARS, USERS)?;
            check.pictures("thumbnail", THUMBNAILS, STREAM_FACTS)?;
            Ok(check.wrong)
        })
    }
}

type Records = TableDefinition<'static, u128, &'static [u8]>;

struct Check<'a> {
    tx: &'a ReadTransaction,
    wrong: Vec<String>,
}

impl Check<'_> {
    fn must(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds && self.wrong.len() < NAMED_MOST {
            self.wrong.push(otherwise());
        }
    }

    /// Decodes the records of a table one by one.
    fn records<R: Record>(
        &mut self,
        table: Records,
        mut check: impl FnMut(&mut Self, u128, R) -> Outcome<()>,
    ) -> Outcome<()> {
        for row in self.tx.open_table(table)?.iter()? {
            let (key, value) = row?;
            check(self, key.value(), record::decode(value.value())?)?;
        }
        Ok(())
    }

    fn tables(&mut self) -> Outcome<()> {
        for table in self.tx.list_tables()? {
            let is_known = tables::NAMES.contains(&table.name());
            self.must(is_known, || format!("there is a table {} that Perch does not have", table.name()));
        }
        let others = self.tx.list_multimap_tables()?.count();
        self.must(others == 0, || "there are tables that Perch does not have".to_owned());
        Ok(())
    }

    fn users(&mut self) -> Outcome<()> {
        let names = self.tx.open_table(USERNAMES)?;
        let passwords = self.tx.open_table(PASSWORDS)?;
        let words_kept = self.tx.open_table(USER_WORDS)?;
        let (mut count, mut words_due) = (0, 0);
        self.records(USERS, |check, id, user: User| {
            count += 1;
            check.must(user.id.number() == id, || format!("{} has the id of another account", user.username));
            let holder = names.get(words::name_key(&user.username).as_str())?.map(|holder| holder.value());
            check.must(holder == Some(id), || format!("{} is not found by its name", user.username));
            let has_password = passwords.get(id)?.is_some();
            check.must(has_password, || format!("{} has no password", user.username));
            for word in user::words_of(&user) {
                words_due += 1;
                let found = words_kept.get((word.as_str(), id))?.is_some();
                check.must(found, || format!("{} is not found by {word}", user.username));
            }
            Ok(())
        })?;
        self.must(names.len()? == count, || "there are names without accounts".to_owned());
        self.must(passwords.len()? == count, || "there are passwords without accounts".to_owned());
        self.must(words_kept.len()? == words_due, || "there are words without accounts".to_owned());
        Ok(())
    }

    fn ingest(&mut self) -> Outcome<()> {
        let users = self.tx.open_table(USERS)?;
        let keys = self.tx.open_table(INGEST_KEYS)?;
        let key_users = self.tx.open_table(INGEST_KEY_USERS)?;
        self.must(keys.len()? == key_users.len()?, || "ingest keys and their accounts differ".to_owned());
        for row in keys.iter()? {
            let (user, key) = row?;
            let holder = key_users.get(key.value().0)?.map(|holder| holder.value());
            let fits = holder == Some(user.value()) && has(&users, user.value())?;
            self.must(fits, || "an ingest key belongs to another account".to_owned());
        }
        self.records(PREPARED_STREAMS, |check, user, _: PreparedStream| {
            let fits = has(&users, user)?;
            check.must(fits, || "a stream is prepared for no account".to_owned());
            Ok(())
        })
    }

    fn sessions(&mut self) -> Outcome<()> {
        let users = self.tx.open_table(USERS)?;
        let sessions = self.tx.open_table(SESSIONS)?;
        let of_users = self.tx.open_table(USER_SESSIONS)?;
        let tokens = self.tx.open_table(TOKENS)?;
        let session_tokens = self.tx.open_table(SESSION_TOKENS)?;
        self.records(SESSIONS, |check, id, session: Session| {
            let user = session.user.number();
            let listed = of_users.get((user, id))?.is_some() && has(&users, user)?;
            check.must(listed && session.id.number() == id, || {
                format!("login {} is not listed with its account", session.id)
            });
            let current = tokens.get(session.current())?.map(|row| row.value());
            let due = Some((id, session.expires_at.unix_millis()));
            check.must(current == due, || format!("login {} is not found by its token", session.id));
            Ok(())
        })?;
        let fits = of_users.len()? == sessions.len()?;
        self.must(fits, || "there are closed logins in the list".to_owned());
        self.must(tokens.len()? == session_tokens.len()?, || "tokens and their logins differ".to_owned());
        for row in session_tokens.iter()? {
            let (key, ()) = row.map(|(key, value)| (key, value.value()))?;
            let (session, expires_at, digest) = key.value();
            let token = tokens.get(digest)?.map(|row| row.value());
            let fits = token == Some((session, expires_at)) && has(&sessions, session)?;
            self.must(fits, || "a token belongs to another login".to_owned());
        }
        Ok(())
    }

    fn webhooks(&mut self) -> Outcome<()> {
        let webhooks = self.tx.open_table(WEBHOOKS)?;
        self.records(WEBHOOKS, |check, id, webhook: Webhook| {
            check.must(webhook.id.number() == id, || format!("webhook {} has another's id", webhook.id));
            Ok(())
        })?;
        for row in self.tx.open_table(WEBHOOK_DELIVERIES)?.iter()? {
            let (key, value) = row?;
            let (webhook, id) = key.value();
            let delivery: WebhookDelivery = record::decode(value.value())?;
            let fits = delivery.id.number() == id && has(&webhooks, webhook)?;
            self.must(fits, || format!("delivery {} is of no webhook", delivery.id));
        }
        Ok(())
    }

    fn api_tokens(&mut self) -> Outcome<()> {
        let users = self.tx.open_table(USERS)?;
        let digests = self.tx.open_table(API_TOKEN_DIGESTS)?;
        let mut count = 0;
        for row in self.tx.open_table(API_TOKENS)?.iter()? {
            let (key, value) = row?;
            let token: ApiToken = record::decode(value.value())?;
            count += 1;
            let found = digests.get(token.digest())?.map(|key| key.value());
            let fits = found == Some(key.value()) && has(&users, key.value().0)?;
            self.must(fits, || format!("API token {} is not found by its digest", token.id));
        }
        self.must(digests.len()? == count, || "there are digests without API tokens".to_owned());
        Ok(())
    }

    /// The streams, and what is counted and indexed of them.
    fn streams(&mut self) -> Outcome<()> {
        let users = self.tx.open_table(USERS)?;
        let details = self.tx.open_table(STREAM_DETAILS)?;
        let claims = self.tx.open_table(CAMERA_CLAIMS)?;
        let views = self.tx.open_table(VIEWS)?;
        let reactions = self.tx.open_table(REACTED.forward)?;
        let (mut count, mut unfinished, mut viewed, mut reacted) = (0, 0, 0, 0);
        let (mut indexed, mut missing) = (0, 0);
        self.records(STREAM_FACTS, |check, id, stream: StreamFacts| {
            count += 1;
            let found = (stream.views, stream.likes, stream.dislikes);
            let mut due = (0, 0, 0);
            for row in views.range(relation::of(id))? {
                row?;
                due.0 += 1;
            }
            for row in reactions.range(relation::of(id))? {
                match Reaction::from_code(row?.1.value())? {
                    Reaction::Like => due.1 += 1,
                    Reaction::Dislike => due.2 += 1,
                }
            }
            viewed += due.0;
            reacted += due.1 + due.2;
            check.must(found == due, || format!("stream {}: counts {found:?} should be {due:?}", stream.id));
            check.must(stream.id.number() == id, || format!("stream {} has another's id", stream.id));
            let has_user = has(&users, stream.user.number())?;
            check.must(has_user, || format!("stream {} has no account", stream.id));
            let ended = stream.state == StreamState::Ended;
            let fits = ended == stream.ended_at.is_some() && ended == stream.end_reason.is_some();
            check.must(fits, || format!("stream {}: its end and its state disagree", stream.id));
            let Some(details) = details.get(id)? else {
                check.must(false, || format!("stream {} has facts without details", stream.id));
                return Ok(());
            };
            let details: StreamDetails = record::decode(details.value())?;
            if !ended {
                unfinished += 1;
                let holder = claims.get(details.camera.as_str())?.map(|holder| holder.value());
                check.must(holder == Some(id), || format!("stream {} has lost its camera", stream.id));
            }
            for (term, weight) in index::terms(&details) {
                indexed += 1;
                missing += usize::from(index::weight(check.tx, &term, stream.ordinal)? != Some(weight));
            }
            Ok(())
        })?;
        self.must(details.len()? == count, || "some streams have details without facts".to_owned());
        self.must(views.len()? == viewed, || "there are views without a stream".to_owned());
        self.must(reactions.len()? == reacted, || "there are reactions without a stream".to_owned());
        self.must(claims.len()? == unfinished, || "there are camera claims without a stream".to_owned());
        self.must(missing == 0, || format!("the search index lacks {missing} words of streams"));
        let found = index::count(self.tx)?;
        self.must(found == indexed, || {
            format!("the search index has {found} entries, should have {indexed}")
        });
        Ok(())
    }

    fn lists(&mut self) -> Outcome<()> {
        let rows = self.tx.open_table(STREAM_LISTS)?;
        let ordinals = self.tx.open_table(STREAM_ORDINALS)?;
        let (mut streams, mut listed) = (0, 0);
        self.records(STREAM_FACTS, |check, id, facts: StreamFacts| {
            streams += 1;
            let topics =
                FILED.rights(check.tx, id)?.into_iter().map(|(topic, _)| TopicId::from_number(topic));
            for (key, ordinal) in lists::due(&facts, &topics.collect::<Vec<_>>()) {
                listed += 1;
                let found = rows.get(key)?.map(|found| found.value());
                check.must(found == Some(ordinal), || format!("stream {} is missing in a list", facts.id));
            }
            let found = ordinals.get(facts.ordinal)?.map(|found| found.value());
            check.must(found == Some(id), || format!("stream {} is not found by its number", facts.id));
            Ok(())
        })?;
        self.must(rows.len()? == listed, || "there are streams in lists that are not there".to_owned());
        self.must(ordinals.len()? == streams, || "there are numbers without a stream".to_owned());
        Ok(())
    }

    fn recordings(&mut self) -> Outcome<()> {
        let streams = self.tx.open_table(STREAM_FACTS)?;
        self.records(RECORDINGS, |check, id, recording: Recording| {
            let is_known = recording.state == RecordingState::Deleted || has(&streams, id)?;
            check.must(is_known && recording.stream.number() == id, || {
                format!("the recording {} is of no stream", recording.name)
            });
            Ok(())
        })
    }

    fn topics(&mut self) -> Outcome<()> {
        let names = self.tx.open_table(TOPIC_NAMES)?;
        let mut count = 0;
        self.records(TOPICS, |check, id, topic: Topic| {
            count += 1;
            let holder = names.get(words::name_key(&topic.name).as_str())?.map(|holder| holder.value());
            check.must(holder == Some(id) && topic.id.number() == id, || {
                format!("the topic {} is not found by its name", topic.name)
            });
            Ok(())
        })?;
        self.must(names.len()? == count, || "there are names without topics".to_owned());
        self.must(count <= TOPICS_MOST as u64, || "there are too many topics".to_owned());
        Ok(())
    }

    fn relation(&mut self, what: &str, relation: &Relation, lefts: Records, rights: Records) -> Outcome<()> {
        let forward = self.tx.open_table(relation.forward)?;
        let backward = self.tx.open_table(relation.backward)?;
        let (lefts, rights) = (self.tx.open_table(lefts)?, self.tx.open_table(rights)?);
        self.must(forward.len()? == backward.len()?, || format!("{what}: the two directions differ"));
        for row in forward.iter()? {
            let (key, value) = row?;
            let (left, right) = key.value();
            let back = backward.get((right, left))?.map(|back| back.value());
            self.must(back == Some(value.value()), || format!("{what}: one direction is missing"));
            let fits = has(&lefts, left)? && has(&rights, right)?;
            self.must(fits, || format!("{what}: one end is missing"));
        }
        Ok(())
    }

    /// Pictures, which belong to an account or a stream.
    fn pictures(&mut self, what: &str, table: Records, owners: Records) -> Outcome<()> {
        let owners = self.tx.open_table(owners)?;
        for row in self.tx.open_table(table)?.iter()? {
            let (owner, picture) = row?;
            let is_owned = has(&owners, owner.value())?;
            self.must(is_owned, || format!("there is a {what} without an owner"));
            let fits = picture.value().len() <= PICTURE_BYTES;
            self.must(fits, || format!("there is a {what} of more than {PICTURE_BYTES} bytes"));
        }
        Ok(())
    }

    fn messages(&mut self) -> Outcome<()> {
        let streams = self.tx.open_table(STREAM_FACTS)?;
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
            let has_stream = has(&streams, stream)?;
            self.must(has_stream, || format!("message {} has no stream", message.id));
        }
        self.must(offsets.len()? == count, || "there are offsets without messages".to_owned());
        self.records(CHAT_RULES, |check, stream, _: ChatRules| {
            let has_stream = has(&streams, stream)?;
            check.must(has_stream, || "there is a set of chat rules without an owner".to_owned());
            Ok(())
        })
    }

    fn notifications(&mut self) -> Outcome<()> {
        let users = self.tx.open_table(USERS)?;
        let mut of_one = (None, 0);
        for row in self.tx.open_table(NOTIFICATIONS)?.iter()? {
            let (key, value) = row?;
            let (user, id) = key.value();
            let told: Notification = record::decode(value.value())?;
            self.must(told.id.number() == id, || format!("notification {} has another's id", told.id));
            of_one = if of_one.0 == Some(user) { (of_one.0, of_one.1 + 1) } else { (Some(user), 1) };
            let has_user = has(&users, user)?;
            self.must(has_user, || "there are notifications without an account".to_owned());
            self.must(of_one.1 <= NOTIFICATIONS_PER_USER, || {
                "an account has too many notifications".to_owned()
            });
        }
        Ok(())
    }

    fn restrictions(&mut self) -> Outcome<()> {
        for row in self.tx.open_table(RESTRICTIONS)?.iter()? {
            let (key, value) = row?;
            let restriction: Restriction = record::decode(value.value())?;
            self.must(restriction.user.number() == key.value().1, || {
                format!("a restriction of {} belongs to another account", restriction.user)
            });
        }
        Ok(())
    }

    fn settings(&mut self) -> Outcome<()> {
        let mut relays = 0;
        for row in self.tx.open_table(SETTINGS)?.iter()? {
            let (name, value) = row?;
            settings::check(name.value(), value.value())?;
            relays += usize::from(relays::is_relay(name.value()));
        }
        self.must(relays <= RELAYS_MOST, || "there are too many relays".to_owned());
        Ok(())
    }
}

fn has<V: Value>(table: &ReadOnlyTable<u128, V>, id: u128) -> Outcome<bool> {
    Ok(table.get(id)?.is_some())
}
