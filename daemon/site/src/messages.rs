//! Reading, sending and deleting the messages of a stream's chat without a connection to it.

use crate::actor::Actor;
use crate::chat::Sent;
use crate::error::SiteError;
use crate::site::Site;
use perch_store::{Message, MessageId, StreamId, User};
use std::ops::Range;
use std::sync::Arc;

/// Selects messages of a stream.
#[derive(Debug, Clone)]
pub struct Which {
    /// When they were sent, milliseconds into the stream.
    pub offsets_ms: Range<u64>,
    /// Offset in milliseconds and id of the previous page's last message.
    pub after: Option<(u64, MessageId)>,
    /// The most messages to return.
    pub limit: usize,
}

/// The messages of a stream's chat, in order, with the writers that still have an account.
///
/// # Errors
///
/// `Chat` if the rules of the stream or its chat forbid reading, `Refused` with `NotFound`.
pub async fn list(
    site: &Site,
    actor: &Actor,
    stream: StreamId,
    which: Which,
) -> Result<Vec<(Message, Option<Arc<User>>)>, SiteError> {
    let Which { offsets_ms, after, limit } = which;
    Ok(site.chat.messages(stream, actor.login().cloned(), offsets_ms, after, limit).await?)
}

/// Sends a message to the chat of a stream on the air, under the same rules as over a connection; returns it once it is stored.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden` for the console, `Chat` with the rule or the limit, or with `NoRoom` if the stream has ended.
pub async fn send(site: &Site, actor: &Actor, stream: StreamId, text: &str) -> Result<Sent, SiteError> {
    Ok(site.chat.say(stream, actor.member()?.clone(), text).await?)
}

/// Deletes a message's text: the actor's own, any in the actor's own chat, and any for owners. Deleting it again changes nothing.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden` for the console, `Chat` with `NotYours`, `Refused` with `NotFound`.
pub async fn delete(
    site: &Site,
    actor: &Actor,
    stream: StreamId,
    message: MessageId,
) -> Result<(), SiteError> {
    site.chat.delete(stream, message, actor.member()?.clone()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ChatError;
    use crate::testing::TestSite;
    use perch_store::{NewMessage, Role, StreamChange, Visibility};

    fn say(site: &TestSite, actor: &Actor, stream: StreamId, offset_ms: u64) -> MessageId {
        let user = actor.user().unwrap();
        let new = NewMessage { stream, user, offset_ms, text: "hello".to_owned() };
        let mut said = site.store.append_messages(&[new], site.now()).unwrap();
        said.pop().unwrap().unwrap().id
    }

    async fn texts(site: &TestSite, actor: &Actor, stream: StreamId, offsets_ms: Range<u64>) -> Vec<String> {
        let which = Which { offsets_ms, after: None, limit: 100 };
        let found = list(site, actor, stream, which).await.unwrap();
        found.into_iter().map(|(message, _)| message.text).collect()
    }

    #[tokio::test]
    async fn what_was_said_is_read_again_and_pages_go_on_where_the_last_one_ended() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let stream = site.stream(&ann, "front");
        let said: Vec<_> = [0, 1000, 1000, 2000].map(|offset| say(&site, &ann, stream, offset)).into();
        assert_eq!(texts(&site, &site.nobody, stream, 1000..2000).await, ["hello"; 2]);
        let which = Which { offsets_ms: 0..u64::MAX, after: Some((1000, said[1])), limit: 1 };
        let [(message, by)] = &list(&site, &site.nobody, stream, which).await.unwrap()[..] else {
            panic!("one message")
        };
        assert_eq!((message.id, by.as_ref().unwrap().username.as_str()), (said[2], "ann"));
        let members = StreamChange { visibility: Some(Visibility::Members), ..StreamChange::default() };
        site.store.change_stream(stream, &members).unwrap();
        let which = Which { offsets_ms: 0..u64::MAX, after: None, limit: 1 };
        let refused = list(&site, &site.nobody, stream, which).await;
        assert!(matches!(refused, Err(SiteError::Chat(ChatError::NoRoom))), "{refused:?}");
    }

    #[tokio::test]
    async fn a_message_is_deleted_by_its_writer_its_streamer_and_owners() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Viewer).await;
        let cleo = site.account("cleo", Role::Viewer).await;
        let olga = site.account("olga", Role::Owner).await;
        let stream = site.stream(&ann, "front");
        for actor in [&ann, &ben, &olga] {
            let message = say(&site, &ben, stream, 0);
            let refused = delete(&site, &cleo, stream, message).await;
            assert!(matches!(refused, Err(SiteError::Chat(ChatError::NotYours))), "{refused:?}");
            for _ in 0..2 {
                delete(&site, actor, stream, message).await.unwrap();
            }
            assert_eq!(site.store.message(stream, message).unwrap().text, "");
        }
    }

    #[tokio::test]
    async fn nobody_sends_to_a_chat_that_is_not_on_the_air_or_without_an_account() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let stream = site.stream(&ann, "front");
        let refused = send(&site, &site.nobody, stream, "hello").await;
        assert!(matches!(refused, Err(SiteError::Unauthenticated)), "{refused:?}");
        let refused = send(&site, &ann, stream, "hello").await;
        assert!(matches!(refused, Err(SiteError::Chat(ChatError::NoRoom))), "{refused:?}");
        let refused = send(&site, &ann, stream, "\u{202e}").await;
        assert!(matches!(refused, Err(SiteError::Chat(ChatError::Text(_)))), "{refused:?}");
    }
}
