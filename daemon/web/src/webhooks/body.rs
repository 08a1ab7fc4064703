//! The bodies that webhooks are sent: `type`, `timestamp` and `data`, as the Standard Webhooks specification has them (standardwebhooks.com).
//! Addresses in them are paths: which name a receiver knows this site by is its own business.

use super::super::json::Time;
use super::super::links::link;
use perch_site::webhooks::event::{About, Event};
use perch_store::{Message, Stream, StreamId, User};
use serde_json::{Value, json};

/// Renders an event.
pub fn body(event: &Event) -> String {
    let data = match &event.about {
        About::StreamStarted(stream, user) | About::StreamEnded(stream, user) => {
            json!({"stream": stream_of(stream, user)})
        }
        About::RecordingReady(stream, user, recording) => json!({
            "stream": stream_of(stream, user),
            "recording": {
                "duration_seconds": recording.duration_ms as f64 / 1000.0,
                "bytes": recording.bytes,
                "playlist_url": link(format_args!("/media/{}/index.m3u8", recording.stream)),
                "download_url": link(format_args!("/media/{}/recording.mp4", recording.stream)),
            },
        }),
        About::RelayFailed { relay, stream, detail } => {
            json!({"relay": relay, "stream": {"id": stream}, "detail": detail})
        }
        About::CameraFault { camera, stream, detail } => {
            json!({"camera": camera, "stream": {"id": stream}, "detail": detail})
        }
        About::StorageLow { detail } => json!({"detail": detail}),
        About::ChatMessage(stream, message, by) => message_of(*stream, message, by.as_ref()),
        About::Test => json!({"detail": "This is a test."}),
    };
    let kind = event.about.kind().name();
    json!({"type": kind, "timestamp": Time(event.at), "data": data}).to_string()
}

fn stream_of(stream: &Stream, user: &User) -> Value {
    let facts = &stream.facts;
    json!({
        "id": facts.id,
        "title": stream.details.title,
        "username": user.username,
        "camera": stream.details.camera,
        "visibility": facts.visibility,
        "live_at": facts.live_at.map(Time),
        "ended_at": facts.ended_at.map(Time),
        "end_reason": facts.end_reason,
        "url": format!("/watch/{}", facts.id),
    })
}

fn message_of(stream: StreamId, message: &Message, by: Option<&User>) -> Value {
    json!({
        "stream": {"id": stream},
        "message": {
            "id": message.id,
            "username": by.map(|user| &user.username),
            "text": message.text,
            "sent_at": Time(message.sent_at),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::Timestamp;

    #[test]
    fn a_body_is_one_object_whatever_is_in_it() {
        let about = About::RelayFailed {
            relay: "mirror".to_owned(),
            stream: StreamId::from_number(7),
            detail: "\"no\"\r\n".to_owned(),
        };
        let text = body(&Event { at: Timestamp::from_unix_millis(1_795_000_000_123), about });
        assert!(!text.contains('\n'));
        let read: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({"type": "relay.failed", "timestamp": "2026-11-18T11:06:40.123Z", "data":
            {"relay": "mirror", "stream": {"id": "00000000000000000000000007"}, "detail": "\"no\"\r\n"}});
        assert_eq!(read, expected);
    }
}
