//! A publisher's side of one RTMP connection ("Real Time Messaging Protocol", version 1.0): handshake, commands, acknowledgements, pings. A value: bytes in, bytes and events
//! out.
//!
//! The handshake and the writing of chunks are those of `rml_rtmp`. Its session is not used: it leaves out `releaseStream` and `FCPublish`, which services expect,
//! and a command with fewer than three values ends it with a panic.

use crate::config::Secret;
use crate::rtmp::{
    ACKNOWLEDGEMENT, AUDIO, COMMAND, ChunkError, ChunkReader, DATA, Limits, Message, PING_REQUEST,
    PING_RESPONSE, SET_PEER_BANDWIDTH, USER_CONTROL, VIDEO, WINDOW_ACKNOWLEDGEMENT_SIZE,
};
use perch_media::flv::amf0::{self, Value};
use rml_rtmp::chunk_io::{ChunkSerializationError, ChunkSerializer};
use rml_rtmp::handshake::{Handshake, HandshakeError, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::time::RtmpTimestamp;
use std::fmt::Write as _;

/// Bytes of a chunk that we send, as most publishers do: a message of sound goes out between two chunks of a picture.
const CHUNK: u32 = 4096;
/// A server has little to say: answers to commands have some hundred bytes.
pub(super) const FROM_SERVER: Limits = Limits { command: 64 << 10, media: 64 << 10, sum: 128 << 10 };
/// H.264 and AAC as Enhanced RTMP names them.
const CODECS: [&str; 2] = ["avc1", "mp4a"];
/// Numbers of our commands, by which the server answers.
const CONNECT: f64 = 1.0;
const RELEASE_STREAM: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
const CREATE_STREAM: f64 = 4.0;
const PUBLISH: f64 = 5.0;
const FC_UNPUBLISH: f64 = 6.0;
const DELETE_STREAM: f64 = 7.0;
/// Characters of what a server says that people are shown.
const WORDS_MOST: usize = 200;

/// What is published, and where.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) application: String,
    /// `tcUrl`: the server's address with the application.
    pub(super) tc_url: String,
    pub(super) key: Secret,
}

/// What a message of the stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Metadata,
    Video,
    Audio,
}

/// What the server has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The stream may be sent.
    Accepted,
    /// It does not take the stream; its reason in words.
    Refused(String),
    /// It has ended the stream that it had accepted.
    Ended(String),
    /// It has taken further bytes.
    Acknowledged,
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// Not RTMP, or an encrypted kind of it.
    #[error("the server does not speak RTMP: {0}")]
    Handshake(#[from] HandshakeError),
    /// Chunks that cannot be read.
    #[error("the server sends RTMP that cannot be read: {0}")]
    Chunk(#[from] ChunkError),
    /// Commands that cannot be read.
    #[error("the server sends RTMP that cannot be read: {0}")]
    Amf0(#[from] amf0::Amf0Error),
    /// A message that RTMP cannot carry.
    #[error("cannot be sent by RTMP: {0}")]
    Send(#[from] ChunkSerializationError),
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Handshake,
    Connect,
    CreateStream,
    Publish,
    Accepted,
    /// Nothing more is expected.
    Over,
}

/// One connection.
pub(super) struct Session {
    target: Target,
    /// Bytes after which the server is asked to acknowledge.
    window: u32,
    handshake: Handshake,
    reader: ChunkReader,
    writer: ChunkSerializer,
    step: Step,
    /// Message stream that the server made.
    stream: u32,
    received: u64,
    /// Bytes after which the server wants an acknowledgement; 0: never.
    peer_window: u64,
    acknowledged: u64,
    out: Vec<u8>,
}

impl Session {
    /// A connection that was just opened; the first bytes to send are in [`Self::out`].
    pub(super) fn new(target: Target, window: u32) -> Result<Self, SessionError> {
        let mut handshake = Handshake::new(PeerType::Client);
        let out = handshake.generate_outbound_p0_and_p1()?;
        Ok(Self {
            target,
            window,
            handshake,
            reader: ChunkReader::new(FROM_SERVER),
            writer: ChunkSerializer::new(),
            step: Step::Handshake,
            stream: 0,
            received: 0,
            peer_window: 0,
            acknowledged: 0,
            out,
        })
    }

    /// Bytes to send; whoever sends them takes them away.
    pub(super) const fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Bytes that are held of messages that have not come whole.
    #[cfg(feature = "testing")]
    pub(super) fn held(&self) -> usize {
        self.reader.held()
    }

    /// Takes what the server sent.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Event>, SessionError> {
        self.received += bytes.len() as u64;
        if self.step == Step::Handshake {
            match self.handshake.process_bytes(bytes)? {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    self.out.extend(response_bytes);
                    return Ok(Vec::new());
                }
                HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                    self.out.extend(response_bytes);
                    self.connect()?;
                    self.reader.push(&remaining_bytes);
                }
            }
        } else {
            self.reader.push(bytes);
        }
        let mut events = Vec::new();
        while let Some(message) = self.reader.next()? {
            self.heed(&message, &mut events)?;
        }
        if self.peer_window > 0 && self.received - self.acknowledged >= self.peer_window {
            self.acknowledged = self.received;
            self.put(ACKNOWLEDGEMENT, 0, 0, (self.received as u32).to_be_bytes().to_vec())?;
        }
        Ok(events)
    }

    /// Sends a message of the stream that was accepted.
    pub(super) fn send(&mut self, kind: Kind, timestamp: u32, body: Vec<u8>) -> Result<(), SessionError> {
        match kind {
            Kind::Metadata => {
                let body = [amf0::write(&[Value::from("@setDataFrame")]), body].concat();
                self.put(DATA, timestamp, self.stream, body)
            }
            Kind::Video => self.put(VIDEO, timestamp, self.stream, body),
            Kind::Audio => self.put(AUDIO, timestamp, self.stream, body),
        }
    }

    /// Says that the stream is over.
    pub(super) fn unpublish(&mut self) -> Result<(), SessionError> {
        if self.step != Step::Accepted {
            return Ok(());
        }
        self.step = Step::Over;
        let key = self.key();
        self.command("FCUnpublish", FC_UNPUBLISH, 0, &[Value::Null, key])?;
        let stream = Value::Number(self.stream.into());
        self.command("deleteStream", DELETE_STREAM, 0, &[Value::Null, stream])
    }

    fn key(&self) -> Value {
        Value::from(self.target.key.expose())
    }

    /// The first command (§7.2.1.1), with the fields that publishers send.
    fn connect(&mut self) -> Result<(), SessionError> {
        self.step = Step::Connect;
        let chunk = self.writer.set_max_chunk_size(CHUNK, RtmpTimestamp::new(0))?;
        self.out.extend(chunk.bytes);
        self.put(WINDOW_ACKNOWLEDGEMENT_SIZE, 0, 0, self.window.to_be_bytes().to_vec())?;
        let text = |name: &str, value: &str| (name.to_owned(), Value::from(value));
        let fields = vec![
            text("app", &self.target.application),
            text("type", "nonprivate"),
            // Services decide by its beginning what a publisher can do.
            text("flashVer", "FMLE/3.0 (compatible; Perch)"),
            text("swfUrl", &self.target.tc_url),
            text("tcUrl", &self.target.tc_url),
            // Enhanced RTMP (Veovera, version 2): the codecs by their names there, and none of its capabilities, which are bits. Pictures and sound go in the classic form.
            ("fourCcList".to_owned(), Value::StrictArray(CODECS.map(Value::from).to_vec())),
            ("capsEx".to_owned(), Value::Number(0.0)),
        ];
        self.command("connect", CONNECT, 0, &[Value::Object(fields)])
    }

    fn command(
        &mut self,
        name: &str,
        number: f64,
        stream: u32,
        values: &[Value],
    ) -> Result<(), SessionError> {
        let values = [&[Value::from(name), Value::Number(number)], values].concat();
        self.put(COMMAND, 0, stream, amf0::write(&values))
    }

    fn put(&mut self, type_id: u8, timestamp: u32, stream: u32, body: Vec<u8>) -> Result<(), SessionError> {
        let timestamp = RtmpTimestamp::new(timestamp);
        let payload = MessagePayload { timestamp, type_id, message_stream_id: stream, data: body.into() };
        self.out.extend(self.writer.serialize(&payload, false, false)?.bytes);
        Ok(())
    }

    fn heed(&mut self, message: &Message, events: &mut Vec<Event>) -> Result<(), SessionError> {
        let body = &message.body[..];
        match message.type_id {
            ACKNOWLEDGEMENT => events.push(Event::Acknowledged),
            WINDOW_ACKNOWLEDGEMENT_SIZE => {
                if let Some(size) = body.first_chunk() {
                    self.peer_window = u32::from_be_bytes(*size).into();
                }
            }
            // It is answered by the size at which we want acknowledgements (§5.4.5).
            SET_PEER_BANDWIDTH => {
                self.put(WINDOW_ACKNOWLEDGEMENT_SIZE, 0, 0, self.window.to_be_bytes().to_vec())?;
            }
            USER_CONTROL if body.starts_with(&PING_REQUEST) => {
                let answer = [&PING_RESPONSE[..], body.get(2..6).unwrap_or_default()].concat();
                self.put(USER_CONTROL, 0, 0, answer)?;
            }
            COMMAND => {
                let values = amf0::read(body)?;
                events.extend(self.answer(&values)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, values: &[Value]) -> Result<Option<Event>, SessionError> {
        let name = values.first().and_then(Value::as_str).unwrap_or_default();
        let number = values.get(1).and_then(Value::as_number).unwrap_or_default();
        let info = values.get(3);
        match (name, self.step) {
            ("_result", Step::Connect) if is(number, CONNECT) => {
                self.step = Step::CreateStream;
                let key = self.key();
                self.command("releaseStream", RELEASE_STREAM, 0, &[Value::Null, key.clone()])?;
                self.command("FCPublish", FC_PUBLISH, 0, &[Value::Null, key])?;
                self.command("createStream", CREATE_STREAM, 0, &[Value::Null])?;
                Ok(None)
            }
            ("_result", Step::CreateStream) if is(number, CREATE_STREAM) => {
                self.step = Step::Publish;
                self.stream = info.and_then(Value::as_number).unwrap_or(1.0) as u32;
                let values = [Value::Null, self.key(), Value::from("live")];
                self.command("publish", PUBLISH, self.stream, &values)?;
                Ok(None)
            }
            // Servers that do not know releaseStream or FCPublish answer with an error, and go on.
            ("_error", Step::Connect) if is(number, CONNECT) => Ok(Some(self.is_over(values))),
            ("_error", Step::CreateStream) if is(number, CREATE_STREAM) => Ok(Some(self.is_over(values))),
            ("_error", Step::Publish) if is(number, PUBLISH) => Ok(Some(self.is_over(values))),
            ("onStatus", Step::Publish | Step::Accepted) => {
                let field = |name: &str| info.and_then(|info| info.get(name)).and_then(Value::as_str);
                let code = field("code").unwrap_or_default();
                if self.step == Step::Publish && code == "NetStream.Publish.Start" {
                    self.step = Step::Accepted;
                    return Ok(Some(Event::Accepted));
                }
                let has_ended = self.step == Step::Accepted && code == "NetStream.Unpublish.Success";
                Ok((has_ended || field("level") == Some("error")).then(|| self.is_over(values)))
            }
            ("close", step) if step != Step::Over => Ok(Some(self.is_over(values))),
            _ => Ok(None),
        }
    }

    fn is_over(&mut self, values: &[Value]) -> Event {
        let words = self.words(values.get(3));
        let was = std::mem::replace(&mut self.step, Step::Over);
        if was == Step::Accepted { Event::Ended(words) } else { Event::Refused(words) }
    }

    /// What the server says of a refusal, as far as it may be shown: without control characters, not long, and without the key.
    fn words(&self, info: Option<&Value>) -> String {
        let field =
            |name: &str| info.and_then(|info| info.get(name)).and_then(Value::as_str).unwrap_or_default();
        let (code, description) = (field("code"), field("description"));
        let mut words = description.to_owned();
        if !code.is_empty() {
            // A String takes any text.
            let _ = if words.is_empty() { write!(words, "{code}") } else { write!(words, " ({code})") };
        }
        if words.is_empty() {
            "it gives no reason".clone_into(&mut words);
        }
        let key = self.target.key.expose();
        let words = if key.is_empty() { words } else { words.replace(key, "…") };
        words.chars().filter(|letter| !letter.is_control()).take(WORDS_MOST).collect()
    }
}

/// Numbers of commands are small and whole.
fn is(number: f64, ours: f64) -> bool {
    (number - ours).abs() < 0.5
}

#[cfg(test)]
mod tests {
    use super::super::server::{Server, target};
    use super::*;

    /// Carries bytes both ways until nobody has anything to say.
    fn talk(session: &mut Session, server: &mut Server) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let sent = std::mem::take(session.out());
            server.receive(&sent);
            let answer = std::mem::take(&mut server.out);
            if answer.is_empty() {
                return events;
            }
            events.extend(session.receive(&answer).unwrap());
        }
    }

    #[test]
    fn a_stream_is_published_and_given_back() {
        let (mut session, mut server) = (Session::new(target(), 1 << 20).unwrap(), Server::new());
        assert_eq!(talk(&mut session, &mut server), [Event::Accepted]);
        session.send(Kind::Metadata, 0, vec![5]).unwrap();
        session.send(Kind::Video, 0x0100_0000, vec![7; 10_000]).unwrap();
        session.send(Kind::Audio, u32::MAX, vec![8; 3]).unwrap();
        session.unpublish().unwrap();
        assert_eq!(talk(&mut session, &mut server), []);
        let names: Vec<_> =
            server.commands.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(
            names,
            [
                ("connect", "connect"),
                ("releaseStream", "SECRET"),
                ("FCPublish", "SECRET"),
                ("createStream", "createStream"),
                ("publish", "live"),
                ("FCUnpublish", "SECRET"),
                ("deleteStream", "deleteStream"),
            ]
        );
        let connect = server.connect.as_ref().unwrap();
        let text = |name: &str| connect.get(name).and_then(Value::as_str).unwrap_or_default();
        assert_eq!((text("app"), text("type")), ("live", "nonprivate"));
        assert_eq!((text("tcUrl"), text("swfUrl")), ("rtmp://example.org/live", "rtmp://example.org/live"));
        assert!(text("flashVer").starts_with("FMLE/3.0 "));
        let codecs = Value::StrictArray(vec![Value::from("avc1"), Value::from("mp4a")]);
        assert_eq!(connect.get("fourCcList"), Some(&codecs));
        assert_eq!(connect.get("capsEx"), Some(&Value::Number(0.0)));
        let data = [&amf0::write(&[Value::from("@setDataFrame")])[..], &[5]].concat();
        assert_eq!(server.media, [(DATA, data), (VIDEO, vec![7; 10_000]), (AUDIO, vec![8; 3])]);
    }

    #[test]
    fn a_refusal_is_told_without_the_key() {
        let (mut session, mut server) = (Session::new(target(), 1 << 20).unwrap(), Server::new());
        server.refuses = Some("NetStream.Publish.BadName");
        let words = "key … isnot known (NetStream.Publish.BadName)".to_owned();
        assert_eq!(talk(&mut session, &mut server), [Event::Refused(words)]);
    }

    #[test]
    fn pings_and_windows_of_the_server_are_answered() {
        let (mut session, mut server) = (Session::new(target(), 1 << 20).unwrap(), Server::new());
        talk(&mut session, &mut server);
        server.say(USER_CONTROL, vec![0, 6, 1, 2, 3, 4]);
        server.say(WINDOW_ACKNOWLEDGEMENT_SIZE, vec![0, 0, 0, 50]);
        server.say(SET_PEER_BANDWIDTH, vec![0, 0, 0, 50, 2]);
        server.say(ACKNOWLEDGEMENT, vec![0; 4]);
        let answer = std::mem::take(&mut server.out);
        assert_eq!(session.receive(&answer).unwrap(), [Event::Acknowledged]);
        server.receive(session.out());
        let received = (session.received as u32).to_be_bytes().to_vec();
        assert_eq!(server.controls, [(USER_CONTROL, vec![0, 7, 1, 2, 3, 4]), (ACKNOWLEDGEMENT, received)]);
        assert_eq!(server.windows, [1 << 20, 1 << 20], "at the beginning, and for the bandwidth");
    }

    #[test]
    fn a_server_of_another_protocol_is_told_apart() {
        let mut session = Session::new(target(), 1 << 20).unwrap();
        let error = session.receive(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
        assert!(error.to_string().starts_with("the server does not speak RTMP"), "{error}");
    }
}
