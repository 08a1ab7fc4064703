//! The lines of a chat's WebSocket, as JSON: each has a `type`.

use crate::barred::BarredLine;
use crate::json::Time;
use crate::people::UserRef;
use perch_site::chat::{Event, MESSAGE_CHARACTERS, Text};
use perch_store::{ChatRules, MessageId, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Bytes of the id that a client gives its message.
const CLIENT_ID_BYTES: usize = 64;
/// Bytes of a client's line: a message whose characters are all written as escapes, and its id.
pub(super) const LINE_BYTES: usize = 8 << 10;
const _: () = assert!(MESSAGE_CHARACTERS * 12 + CLIENT_ID_BYTES * 6 + 64 < LINE_BYTES);

/// A chat message.
#[derive(Serialize, ToSchema)]
pub(crate) struct Message<'a> {
    #[schema(value_type = String)]
    id: MessageId,
    /// Null if the account is deleted.
    #[schema(required)]
    user: Option<UserRef>,
    /// Empty if the message is deleted.
    text: &'a str,
    /// Seconds into the stream.
    offset_seconds: f64,
    #[schema(value_type = String, format = DateTime)]
    sent_at: Time,
    deleted: bool,
}

impl<'a> Message<'a> {
    pub(crate) fn new(message: &'a perch_store::Message, by: Option<&User>) -> Self {
        Self {
            id: message.id,
            user: by.map(UserRef::from),
            text: &message.text,
            offset_seconds: message.offset_ms as f64 / 1000.0,
            sent_at: Time(message.sent_at),
            deleted: message.deleted_by.is_some(),
        }
    }
}

/// Lines from the daemon.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Welcome {
        rules: &'a ChatRules,
        you: Option<UserRef>,
        may_write: bool,
        barred: Option<BarredLine>,
        viewers: u32,
    },
    Message {
        #[serde(flatten)]
        message: Message<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
    },
    Delete {
        id: MessageId,
    },
    Presence {
        viewers: u32,
        people: Vec<UserRef>,
    },
    Reaction {
        likes: u64,
        dislikes: u64,
    },
    Rules {
        rules: &'a ChatRules,
        may_write: bool,
        barred: Option<BarredLine>,
    },
    Ended,
    Error {
        code: &'static str,
        detail: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        barred: Option<BarredLine>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
    },
}

/// Renders an event of a chat.
pub fn line(event: &Event<'_>) -> Text {
    let line = match *event {
        Event::Welcome { rules, you, may_write, restricted, viewers } => Line::Welcome {
            rules,
            you: you.map(UserRef::from),
            may_write,
            barred: restricted.map(Into::into),
            viewers,
        },
        Event::Message { message, by, client_id } => {
            Line::Message { message: Message::new(message, by), client_id }
        }
        Event::Deleted { message } => Line::Delete { id: message },
        Event::Presence { viewers, people } => {
            Line::Presence { viewers, people: people.iter().map(|user| UserRef::from(&**user)).collect() }
        }
        Event::Reaction { likes, dislikes } => Line::Reaction { likes, dislikes },
        Event::Rules { rules, may_write, restricted } => {
            Line::Rules { rules, may_write, barred: restricted.map(Into::into) }
        }
        Event::Ended => Line::Ended,
        Event::Error { code, detail, restricted, client_id } => {
            Line::Error { code, detail, barred: restricted.map(Into::into), client_id }
        }
    };
    serde_json::to_string(&line).expect("plain data is always JSON").into()
}

/// Lines from a client.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Said {
    Message { text: String, client_id: Option<String> },
    Delete { id: MessageId },
}

impl Said {
    /// Parses a line; the error says in words what is wrong.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        match serde_json::from_str(text) {
            Ok(Self::Message { client_id: Some(client_id), .. }) if client_id.len() > CLIENT_ID_BYTES => {
                Err(format!("client_id: at most {CLIENT_ID_BYTES} bytes"))
            }
            Ok(said) => Ok(said),
            Err(error) => Err(format!("this is not a chat line: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::{Timestamp, UserId};
    use serde_json::{Value, json};

    fn rendered(event: &Event<'_>) -> Value {
        serde_json::from_str(&line(event)).unwrap()
    }

    #[test]
    fn lines_are_as_the_api_has_them() {
        let message = perch_store::Message {
            id: MessageId::from_number(5),
            user: UserId::from_number(1),
            offset_ms: 12_345,
            sent_at: Timestamp::from_unix_millis(1_795_000_000_123),
            text: "hello \"you\"".to_owned(),
            deleted_by: None,
        };
        let expected = json!({"type": "message", "id": "00000000000000000000000005", "user": null, "text": "hello \"you\"",
            "offset_seconds": 12.345, "sent_at": "2026-11-18T11:06:40.123Z", "deleted": false});
        let event = |client_id| Event::Message { message: &message, by: None, client_id };
        assert_eq!(rendered(&event(None)), expected);
        assert_eq!(rendered(&event(Some("7")))["client_id"], "7");
        assert_eq!(rendered(&Event::Ended), json!({"type": "ended"}));
        let rules = ChatRules { slow_mode_seconds: 5, ..ChatRules::default() };
        assert_eq!(
            rendered(&Event::Rules { rules: &rules, may_write: true, restricted: None }),
            json!({"type": "rules", "may_write": true, "barred": null,
                "rules": {"slow_mode_seconds": 5, "followers_only": false, "members_only": false}})
        );
    }

    #[test]
    fn clients_say_two_things() {
        let message = Said::Message { text: "a".to_owned(), client_id: None };
        assert_eq!(Said::read(r#"{"type":"message","text":"a"}"#), Ok(message));
        let delete = Said::Delete { id: MessageId::from_number(5) };
        assert_eq!(Said::read(r#"{"type":"delete","id":"00000000000000000000000005"}"#), Ok(delete));
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"type":"ended"}"#,
            r#"{"type":"message"}"#,
            r#"{"type":"message","text":1}"#,
            r#"{"type":"message","text":"a","user":"root"}"#,
            r#"{"type":"delete","id":"../x"}"#,
        ] {
            assert!(Said::read(wrong).is_err(), "{wrong}");
        }
        let long = json!({"type": "message", "text": "a", "client_id": "x".repeat(65)}).to_string();
        assert!(Said::read(&long).is_err());
    }
}
