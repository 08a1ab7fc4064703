//! Stores messages: checks rights and appends messages, or deletes their text, in one blocking call.

use super::ask::Said;
use super::error::{Barred, ChatError, Restricted};
use super::house::{House, RoomInfo};
use super::rights::{self, May};
use crate::accounts::logins::Login;
use perch_store::{ChatRules, Message, MessageId, NewMessage, Role, StoreError, StreamId, User};
use std::sync::Arc;

/// Characters of a message at most.
pub const MESSAGE_CHARACTERS: usize = 500;

/// A stored message.
pub(super) struct Spoken {
    pub(super) message: Message,
    pub(super) by: Option<Arc<User>>,
}

/// Why a message was not stored.
pub(super) struct NotSpoken {
    pub(super) code: &'static str,
    pub(super) detail: String,
    pub(super) restricted: Option<Restricted>,
}

impl NotSpoken {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), restricted: None }
    }
}

impl From<Barred> for NotSpoken {
    fn from(barred: Barred) -> Self {
        Self { restricted: barred.restricted(), ..Self::new(barred.code(), barred.to_string()) }
    }
}

impl From<&StoreError> for NotSpoken {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Refused(refusal) => Self::new("not_found", refusal.to_string()),
            StoreError::ReadOnly { .. } => Self::new("store_read_only", "the card takes no writes"),
            StoreError::Full { .. } => Self::new("store_full", "the card is full"),
            _ => Self::new("internal", "it could not be stored: see perchd's log"),
        }
    }
}

/// Stores the permitted messages in one commit; each has its own result. Blocks.
pub(super) fn write_down(
    house: &House,
    info: &RoomInfo,
    said: Vec<Said>,
) -> Vec<(Said, Result<Spoken, NotSpoken>)> {
    let now = house.now();
    let offset_ms = house.offset_ms(info.stream);
    let may_be_said = |said: &Said, rules: ChatRules| -> Result<(), NotSpoken> {
        match rights::may(house, info, rules, Some(&said.by), now) {
            Ok(May::Write) => Ok(()),
            Ok(May::Read(barred) | May::Nothing(barred)) => Err(barred.into()),
            Err(error) => Err(failed(&error)),
        }
    };
    let allowed: Vec<Result<(), NotSpoken>> = match house.store.chat_rules(info.stream) {
        Ok(rules) => said.iter().map(|said| may_be_said(said, rules)).collect(),
        Err(error) => said.iter().map(|_| Err(failed(&error))).collect(),
    };
    let new: Vec<NewMessage> = said
        .iter()
        .zip(&allowed)
        .filter(|(_, allowed)| allowed.is_ok())
        .map(|(said, _)| NewMessage {
            stream: info.stream,
            user: said.by.user,
            offset_ms,
            text: said.text.clone(),
        })
        .collect();
    let stored = if new.is_empty() { Ok(Vec::new()) } else { house.store.append_messages(&new, now) };
    let (mut stored, failure) = match stored {
        Ok(stored) => (stored.into_iter(), None),
        Err(error) => (Vec::new().into_iter(), Some(error)),
    };
    if let Some(error) = &failure {
        failed(error);
    }
    let mut outcome = |allowed: Result<(), NotSpoken>| {
        allowed?;
        match (stored.next(), &failure) {
            (Some(Ok(message)), _) => {
                let by = house.people.get(&house.store, message.user).unwrap_or_default();
                Ok(Spoken { message, by })
            }
            (Some(Err(refusal)), _) => Err(NotSpoken::from(&StoreError::Refused(refusal))),
            (None, Some(error)) => Err(error.into()),
            (None, None) => Err(Barred::NoAccount.into()),
        }
    };
    said.into_iter().zip(allowed).map(|(said, allowed)| (said, outcome(allowed))).collect()
}

/// Deletes a message's text: the actor's own, any in the actor's own chat, and any for owners. Blocks.
pub(super) fn take_back(
    house: &House,
    stream: StreamId,
    message: MessageId,
    by: &Login,
) -> Result<Message, ChatError> {
    let by = rights::still_logged_in(house, by)?.ok_or(Barred::LoggedOut)?;
    let found = house.store.message(stream, message)?;
    let is_moderator = by.role == Role::Owner || house.store.stream(stream)?.facts.user == by.user;
    if found.user != by.user && !is_moderator {
        return Err(ChatError::NotYours);
    }
    Ok(house.store.delete_message(stream, message, by.user)?)
}

fn failed(error: &StoreError) -> NotSpoken {
    tracing::error!("messages of a chat were not stored: {error}");
    error.into()
}
