//! Stores messages: checks rights and appends messages, or deletes their text, in one blocking call.

use super::ask::{Said, Sent};
use super::error::{Barred, ChatError, NotSent};
use super::house::{House, RoomInfo};
use super::rights::{self, May};
use crate::accounts::logins::Login;
use perch_store::{ChatRules, Message, MessageId, NewMessage, Role, StoreError, StreamId};

/// Characters of a message at most.
pub const MESSAGE_CHARACTERS: usize = 500;

impl From<&StoreError> for NotSent {
    fn from(error: &StoreError) -> Self {
        let (code, detail) = match error {
            StoreError::Refused(refusal) => ("not_found", refusal.to_string()),
            StoreError::ReadOnly { .. } => ("store_read_only", "the card takes no writes".to_owned()),
            StoreError::Full { .. } => ("store_full", "the card is full".to_owned()),
            _ => ("internal", "it could not be stored: see perchd's log".to_owned()),
        };
        Self::NotStored { code, detail }
    }
}

/// Stores the permitted messages in one commit; each has its own result. Blocks.
pub(super) fn write_down(
    house: &House,
    info: &RoomInfo,
    said: Vec<Said>,
) -> Vec<(Said, Result<Sent, NotSent>)> {
    let now = house.now();
    let offset_ms = house.offset_ms(info.stream);
    let may_be_said = |said: &Said, rules: ChatRules| -> Result<(), NotSent> {
        match rights::may(house, info, rules, Some(&said.by), now) {
            Ok(May::Write) => Ok(()),
            Ok(May::Read(barred) | May::Nothing(barred)) => Err(barred.into()),
            Err(error) => Err(failed(&error)),
        }
    };
    let allowed: Vec<Result<(), NotSent>> = match house.store.chat_rules(info.stream) {
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
    let mut outcome = |allowed: Result<(), NotSent>| {
        allowed?;
        match (stored.next(), &failure) {
            (Some(Ok(message)), _) => {
                let by = house.people.get(&house.store, message.user).unwrap_or_default();
                Ok((message, by))
            }
            (Some(Err(refusal)), _) => Err(NotSent::from(&StoreError::Refused(refusal))),
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

fn failed(error: &StoreError) -> NotSent {
    tracing::error!("messages of a chat were not stored: {error}");
    error.into()
}
