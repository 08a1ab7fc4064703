//! Every table of the file. Ids are keys, as numbers; `&[u8]` values are versioned records (record.rs). A change here needs a new
//! schema version (schema.rs).

use crate::failure::{Failure, Outcome};
use crate::relation::Relation;
use crate::writing::WriteTransaction;
use redb::{Key, ReadTransaction, ReadableTable as _, TableDefinition, Value};

macro_rules! tables {
    (
        backed_up { $($(#[$doc:meta])* $name:ident: $key:ty => $value:ty;)* }
        apart { $($(#[$apart_doc:meta])* $apart:ident: $apart_key:ty => $apart_value:ty;)* }
    ) => {
        $($(#[$doc])* pub(crate) const $name: TableDefinition<'static, $key, $value> =
            TableDefinition::new(stringify!($name));)*
        $($(#[$apart_doc])* pub(crate) const $apart: TableDefinition<'static, $apart_key, $apart_value> =
            TableDefinition::new(stringify!($apart));)*

        /// Creates the tables that do not exist yet.
        pub(crate) fn make_all(tx: &WriteTransaction) -> Outcome<()> {
            $(tx.open_table($name)?;)*
            $(tx.open_table($apart)?;)*
            Ok(())
        }

        /// The names of all tables.
        pub(crate) const NAMES: &[&str] = &["meta", "counters", $(stringify!($name),)* $(stringify!($apart)),*];

        /// Copies every row of the tables that a backup holds unchanged.
        pub(crate) fn copy_what_is_backed_up(from: &ReadTransaction, to: &WriteTransaction) -> Outcome<()> {
            $(copy(from, to, $name)?;)*
            Ok(())
        }

        /// All rows, for comparisons.
        #[cfg(test)]
        pub(crate) fn rows_of_all(of: &ReadTransaction) -> Outcome<Vec<String>> {
            let mut all = Vec::new();
            rows(of, META, &mut all)?;
            rows(of, COUNTERS, &mut all)?;
            $(rows(of, $name, &mut all)?;)*
            $(rows(of, $apart, &mut all)?;)*
            Ok(all)
        }
    };
}

/// The schema's version. The name and types are those of version 1.
pub(crate) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// Numbers that only grow. The name and types are those of version 1.
pub(crate) const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");

tables! {
    backed_up {
        /// user → `User`
        USERS: u128 => &'static [u8];
        /// folded username → user
        USERNAMES: &'static str => u128;
        /// user → password hash (PHC string)
        PASSWORDS: u128 => &'static str;
        /// user → `PreparedStream`
        PREPARED_STREAMS: u128 => &'static [u8];
        /// word of a user's names, user → ()
        USER_WORDS: (&'static str, u128) => ();
        /// skeleton of a username (UTS #39), user → ()
        NAME_SKELETONS: (&'static str, u128) => ();
        /// user → picture
        AVATARS: u128 => &'static [u8];

        /// follower, followed → since
        FOLLOWING: (u128, u128) => i64;
        /// followed, follower → since
        FOLLOWERS: (u128, u128) => i64;
        /// user, notification → `Notification`
        NOTIFICATIONS: (u128, u128) => &'static [u8];

        /// topic → `Topic`
        TOPICS: u128 => &'static [u8];
        /// folded name → topic
        TOPIC_NAMES: &'static str => u128;

        /// stream → `StreamDetails`
        STREAM_DETAILS: u128 => &'static [u8];
        /// stream → `StreamFacts`
        STREAM_FACTS: u128 => &'static [u8];
        /// list, account or topic, who sees it, sort key, stream → ordinal (lists.rs)
        STREAM_LISTS: (u8, u128, u8, u64, u64, u128) => u32;
        /// ordinal → stream
        STREAM_ORDINALS: u32 => u128;
        /// camera → the stream that has it
        CAMERA_CLAIMS: &'static str => u128;
        /// stream, topic → ()
        STREAM_TOPICS: (u128, u128) => i64;
        /// topic, stream → ()
        TOPIC_STREAMS: (u128, u128) => i64;
        /// stream → picture
        THUMBNAILS: u128 => &'static [u8];
        /// stream → `Recording`
        RECORDINGS: u128 => &'static [u8];
        /// term, block of 256 ordinals → (ordinal in block, weight)…
        POSTINGS: (&'static str, u32) => &'static [u8];

        /// stream, user → 1 like, -1 dislike
        REACTIONS: (u128, u128) => i64;
        /// user, stream → 1 like, -1 dislike
        USER_REACTIONS: (u128, u128) => i64;
        /// user, stream → since
        SAVED: (u128, u128) => i64;
        /// stream, user → since
        SAVED_BY: (u128, u128) => i64;
        /// stream, viewer → ()
        VIEWS: (u128, u128) => ();

        /// stream, message → `Message`
        MESSAGES: (u128, u128) => &'static [u8];
        /// stream, milliseconds into it, message → ()
        MESSAGE_OFFSETS: (u128, u64, u128) => ();
        /// room (a stream, a streamer, or 0: everywhere), user → `Restriction`
        RESTRICTIONS: (u128, u128) => &'static [u8];
        /// stream → `ChatRules`
        CHAT_RULES: u128 => &'static [u8];
    }
    apart {
        /// Named values of the site: its settings, its signing key.
        SETTINGS: &'static str => &'static [u8];

        /// user → digest of the ingest key, the key
        INGEST_KEYS: u128 => (&'static [u8; 32], &'static str);
        /// digest of the ingest key → user
        INGEST_KEY_USERS: &'static [u8; 32] => u128;

        /// user, token → `ApiToken`
        API_TOKENS: (u128, u128) => &'static [u8];
        /// digest of an API token → user, token
        API_TOKEN_DIGESTS: &'static [u8; 32] => (u128, u128);

        /// webhook → `Webhook`
        WEBHOOKS: u128 => &'static [u8];
        /// webhook, delivery → `WebhookDelivery`
        WEBHOOK_DELIVERIES: (u128, u128) => &'static [u8];

        /// session → `Session`
        SESSIONS: u128 => &'static [u8];
        /// user, session → opened at
        USER_SESSIONS: (u128, u128) => i64;
        /// digest of a refresh token, current or used → session, expires at
        TOKENS: &'static [u8; 32] => (u128, i64);
        /// session, expires at, digest → ()
        SESSION_TOKENS: (u128, i64, &'static [u8; 32]) => ();
    }
}

/// follower, followed
pub(crate) const FOLLOWS: Relation = Relation { forward: FOLLOWING, backward: FOLLOWERS };
/// stream, user
pub(crate) const REACTED: Relation = Relation { forward: REACTIONS, backward: USER_REACTIONS };
/// user, stream
pub(crate) const WATCH_LIST: Relation = Relation { forward: SAVED, backward: SAVED_BY };
/// stream, topic
pub(crate) const FILED: Relation = Relation { forward: STREAM_TOPICS, backward: TOPIC_STREAMS };

pub(crate) fn copy<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
) -> Outcome<()> {
    let mut copy = to.open_table(table)?;
    for row in from.open_table(table)?.iter()? {
        let (key, value) = row?;
        copy.insert(key.value(), value.value())?;
    }
    Ok(())
}

#[cfg(test)]
fn rows<K: Key + 'static, V: Value + 'static>(
    of: &ReadTransaction,
    table: TableDefinition<'static, K, V>,
    all: &mut Vec<String>,
) -> Outcome<()> {
    for row in of.open_table(table)?.iter()? {
        let (key, value) = row?;
        all.push(format!("{table} {:?} {:?}", key.value(), value.value()));
    }
    Ok(())
}

/// Takes `count` numbers from a counter, which starts at 0; returns the first.
pub(crate) fn take_number(tx: &WriteTransaction, counter: &'static str, count: u64) -> Outcome<u64> {
    let mut counters = tx.open_table(COUNTERS)?;
    let first = counters.get(counter)?.map_or(0, |next| next.value());
    let next = first.checked_add(count).ok_or(Failure::Exhausted { counter })?;
    counters.insert(counter, next)?;
    Ok(first)
}
