//! The server's side of one RTMP connection on which a program publishes or plays ("Real Time Messaging Protocol", version 1.0): handshake, commands,
//! acknowledgements, pings. A value: bytes in, bytes and events out.
//!
//! Handshake and the writing of chunks are those of `rml_rtmp`. Its session is not used: a stranger could end the daemon with it, by nested objects, by
//! interleaved messages, by commands with few values.

use super::doorkeeper::StreamKey;
use super::facts::Facts;
use crate::rtmp::{
    ACKNOWLEDGEMENT, AGGREGATE, AUDIO, COMMAND, COMMAND_AMF3, ChunkError, ChunkReader, DATA, DATA_AMF3,
    Limits, Message, PING_REQUEST, PING_RESPONSE, SET_PEER_BANDWIDTH, USER_CONTROL, VIDEO,
    WINDOW_ACKNOWLEDGEMENT_SIZE,
};
use perch_media::flv::amf0::{self, Amf0Error, Value};
use rml_rtmp::chunk_io::{ChunkSerializationError, ChunkSerializer};
use rml_rtmp::handshake::{Handshake, HandshakeError, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::time::RtmpTimestamp;

/// The application of our addresses: `rtmp://host/live`.
pub(super) const APPLICATION: &str = "live";
/// The message stream that `createStream` gives; each connection has one.
const STREAM: u32 = 1;
/// Bytes after which a program acknowledges, and after which it wants us to (§5.4.4): what other servers say.
const WINDOW: u32 = 2_500_000;
/// Bytes of a chunk to a player.
const CHUNK: u32 = 4096;
/// The event of user control that precedes a stream (§7.1.7).
const STREAM_BEGIN: [u8; 2] = [0, 0];
/// `limit type` of Set Peer Bandwidth (§5.4.5): dynamic.
const DYNAMIC: u8 = 2;
/// Before a program is let in: `connect` has some hundred bytes.
const STRANGERS: Limits = Limits { command: 16 << 10, media: 16 << 10, sum: 32 << 10 };
/// Of a publisher. A picture has 4 MiB at most (`perch_media::access_unit`).
const PUBLISHERS: Limits = Limits { command: 64 << 10, media: (4 << 20) + 64, sum: (4 << 20) + (256 << 10) };
/// Commands that a connection may send. Programs send ten, and some `_checkbw` again and again.
const COMMANDS_MOST: u32 = 10_000;

/// What a program has said.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// It wants to publish. [`Session::accept`] or [`Session::refuse`] answers; until then nothing more is to be read.
    Publish(StreamKey),
    /// What it says of its stream.
    Facts(Facts),
    /// The body of a tag of video, with its time in milliseconds.
    Video(u32, Vec<u8>),
    /// The same for sound.
    Sound(u32, Vec<u8>),
    /// It wants to watch the stream of this name. [`Session::play`] or [`Session::refuse`] answers.
    Play(String),
    /// It has ended its publication, or watches no more.
    Unpublished,
    /// It was refused, for the reason in words.
    Refused(String),
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// Not RTMP, or an encrypted kind of it.
    #[error("it does not speak RTMP: {0}")]
    Handshake(#[from] HandshakeError),
    /// Chunks that cannot be read.
    #[error("it sends RTMP that cannot be read: {0}")]
    Chunk(#[from] ChunkError),
    /// Commands that cannot be read.
    #[error("it sends RTMP that cannot be read: {0}")]
    Amf0(#[from] Amf0Error),
    /// Aggregate messages, which no publisher is known to send.
    #[error("it sends aggregate messages, which are not supported")]
    Aggregate,
    /// More commands than any program sends.
    #[error("it sends more than {COMMANDS_MOST} commands")]
    Flood,
    /// A message that RTMP cannot carry.
    #[error("cannot be answered by RTMP: {0}")]
    Send(#[from] ChunkSerializationError),
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Handshake,
    Connect,
    Connected,
    /// An answer to `publish` is due.
    Asking,
    Publishing,
    /// The same for `play`.
    AskingToPlay,
    Playing,
    Over,
}

/// One connection.
pub(super) struct Session {
    handshake: Handshake,
    reader: ChunkReader,
    writer: ChunkSerializer,
    step: Step,
    /// What stood behind the application's name in `connect`: some programs write the key there.
    rest_of_application: String,
    commands: u32,
    received: u64,
    /// Bytes after which the program wants an acknowledgement; 0: never.
    window: u64,
    acknowledged: u64,
    out: Vec<u8>,
}

impl Session {
    /// A connection that was just accepted.
    pub(super) fn new() -> Self {
        Self {
            handshake: Handshake::new(PeerType::Server),
            reader: ChunkReader::new(STRANGERS),
            writer: ChunkSerializer::new(),
            step: Step::Handshake,
            rest_of_application: String::new(),
            commands: 0,
            received: 0,
            window: WINDOW.into(),
            acknowledged: 0,
            out: Vec::new(),
        }
    }

    /// Bytes to send; whoever sends them takes them away.
    pub(super) const fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        self.reader.held() + self.out.capacity()
    }

    /// Takes what came. Call [`Self::next`] until it gives `None` before the next bytes.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.received += bytes.len() as u64;
        if self.step == Step::Handshake {
            match self.handshake.process_bytes(bytes)? {
                HandshakeProcessResult::InProgress { response_bytes } => self.out.extend(response_bytes),
                HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                    self.out.extend(response_bytes);
                    self.step = Step::Connect;
                    self.reader.push(&remaining_bytes);
                }
            }
        } else {
            self.reader.push(bytes);
        }
        if self.step != Step::Handshake && self.received - self.acknowledged >= self.window {
            self.acknowledged = self.received;
            self.put(ACKNOWLEDGEMENT, 0, 0, (self.received as u32).to_be_bytes().to_vec())?;
        }
        Ok(())
    }

    /// The next thing that the program has said.
    pub(super) fn next(&mut self) -> Result<Option<Event>, SessionError> {
        while !matches!(self.step, Step::Handshake | Step::Asking | Step::AskingToPlay | Step::Over) {
            let Some(message) = self.reader.next()? else { return Ok(None) };
            if let Some(event) = self.take(message)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Lets the program publish.
    pub(super) fn accept(&mut self) -> Result<(), SessionError> {
        self.step = Step::Publishing;
        self.reader.allow(PUBLISHERS);
        self.status("status", "NetStream.Publish.Start", "The stream may be sent.")
    }

    /// Lets the program watch: [`Self::send`] follows.
    pub(super) fn play(&mut self) -> Result<(), SessionError> {
        self.step = Step::Playing;
        let chunk = self.writer.set_max_chunk_size(CHUNK, RtmpTimestamp::new(0))?;
        self.out.extend(chunk.bytes);
        self.put(USER_CONTROL, 0, 0, [&STREAM_BEGIN[..], &STREAM.to_be_bytes()].concat())?;
        self.status("status", "NetStream.Play.Start", "The stream begins.")
    }

    /// Sends a message of the stream that is watched.
    pub(super) fn send(&mut self, type_id: u8, timestamp: u32, body: Vec<u8>) -> Result<(), SessionError> {
        self.put(type_id, timestamp, STREAM, body)
    }

    /// Refuses the publication or to play, or ends what was accepted. The connection is to be closed once this is sent.
    pub(super) fn refuse(&mut self, why: &str) -> Result<(), SessionError> {
        let code = match self.step {
            Step::Asking | Step::Publishing => "NetStream.Publish.BadName",
            Step::AskingToPlay | Step::Playing => "NetStream.Play.StreamNotFound",
            Step::Handshake | Step::Connect | Step::Connected | Step::Over => return Ok(()),
        };
        self.step = Step::Over;
        self.status("error", code, why)
    }

    fn take(&mut self, message: Message) -> Result<Option<Event>, SessionError> {
        let Message { type_id, timestamp, body } = message;
        let is_publishing = self.step == Step::Publishing;
        match type_id {
            VIDEO if is_publishing => return Ok(Some(Event::Video(timestamp, body))),
            AUDIO if is_publishing => return Ok(Some(Event::Sound(timestamp, body))),
            DATA if is_publishing => return Ok(Facts::read(&body).map(Event::Facts)),
            DATA_AMF3 if is_publishing => return Ok(Facts::read(without_amf3(&body)).map(Event::Facts)),
            AGGREGATE => return Err(SessionError::Aggregate),
            WINDOW_ACKNOWLEDGEMENT_SIZE => {
                if let Some(size) = body.first_chunk() {
                    self.window = u32::from_be_bytes(*size).into();
                }
            }
            USER_CONTROL if body.starts_with(&PING_REQUEST) => {
                let answer = [&PING_RESPONSE[..], body.get(2..6).unwrap_or_default()].concat();
                self.put(USER_CONTROL, 0, 0, answer)?;
            }
            COMMAND => return self.command(&amf0::read(&body)?),
            COMMAND_AMF3 => return self.command(&amf0::read(without_amf3(&body))?),
            _ => {}
        }
        Ok(None)
    }

    fn command(&mut self, values: &[Value]) -> Result<Option<Event>, SessionError> {
        self.commands += 1;
        if self.commands > COMMANDS_MOST {
            return Err(SessionError::Flood);
        }
        let name = values.first().and_then(Value::as_str).unwrap_or_default();
        let number = values.get(1).and_then(Value::as_number).unwrap_or_default();
        let argument = values.get(3).and_then(Value::as_str).unwrap_or_default();
        match (name, self.step) {
            ("connect", Step::Connect) => return self.connect(number, values.get(2)),
            ("createStream", Step::Connected) => self.result(number, Value::Number(STREAM.into()))?,
            ("getStreamLength", _) => self.result(number, Value::Number(0.0))?,
            // Without an answer some programs wait.
            ("releaseStream" | "FCPublish" | "_checkbw", _) if number > 0.0 => {
                self.result(number, Value::Null)?;
            }
            ("publish", Step::Connected) => return self.publish(argument),
            ("play", Step::Connected) => {
                self.step = Step::AskingToPlay;
                // What follows a question mark is for other servers.
                return Ok(Some(Event::Play(argument.split('?').next().unwrap_or_default().to_owned())));
            }
            ("deleteStream" | "closeStream", Step::Playing) => {
                self.step = Step::Over;
                return Ok(Some(Event::Unpublished));
            }
            ("FCUnpublish" | "deleteStream" | "closeStream", Step::Publishing) => {
                self.step = Step::Over;
                self.status("status", "NetStream.Unpublish.Success", "The stream has ended.")?;
                return Ok(Some(Event::Unpublished));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Answers `connect` (§7.2.1.1).
    fn connect(&mut self, number: f64, fields: Option<&Value>) -> Result<Option<Event>, SessionError> {
        let field = |name: &str| fields.and_then(|fields| fields.get(name)).and_then(Value::as_str);
        let application = field("app").unwrap_or_default().trim_matches('/');
        let (application, rest) = application.split_once('/').unwrap_or((application, ""));
        if application != APPLICATION {
            self.step = Step::Over;
            let why = format!("the address must end in /{APPLICATION}, and the stream key follows it");
            let info = Value::Object(info("error", "NetConnection.Connect.Rejected", &why));
            self.put_command(0, &[Value::from("_error"), Value::Number(number), Value::Null, info])?;
            return Ok(Some(Event::Refused(why)));
        }
        rest.clone_into(&mut self.rest_of_application);
        self.step = Step::Connected;
        self.put(WINDOW_ACKNOWLEDGEMENT_SIZE, 0, 0, WINDOW.to_be_bytes().to_vec())?;
        self.put(SET_PEER_BANDWIDTH, 0, 0, [&WINDOW.to_be_bytes()[..], &[DYNAMIC]].concat())?;
        let server = vec![
            ("fmsVer".to_owned(), Value::from("FMS/3,0,1,123")),
            ("capabilities".to_owned(), Value::Number(31.0)),
        ];
        let mut said = info("status", "NetConnection.Connect.Success", "Connected.");
        // AMF0, whatever was asked for.
        said.push(("objectEncoding".to_owned(), Value::Number(0.0)));
        let values =
            [Value::from("_result"), Value::Number(number), Value::Object(server), Value::Object(said)];
        self.put_command(0, &values)?;
        Ok(None)
    }

    fn publish(&mut self, name: &str) -> Result<Option<Event>, SessionError> {
        // Some programs put the key into the address, and some add what they know of the stream after a question mark.
        let name = if name.is_empty() { self.rest_of_application.as_str() } else { name };
        let key = StreamKey::new(name.split('?').next().unwrap_or_default());
        self.step = Step::Asking;
        if let Some(key) = key {
            return Ok(Some(Event::Publish(key)));
        }
        let why = "the stream key is missing or has characters that no key has: copy it from Perch's page";
        self.refuse(why)?;
        Ok(Some(Event::Refused(why.to_owned())))
    }

    fn result(&mut self, number: f64, value: Value) -> Result<(), SessionError> {
        self.put_command(0, &[Value::from("_result"), Value::Number(number), Value::Null, value])
    }

    fn status(&mut self, level: &str, code: &str, words: &str) -> Result<(), SessionError> {
        let info = Value::Object(info(level, code, words));
        self.put_command(STREAM, &[Value::from("onStatus"), Value::Number(0.0), Value::Null, info])
    }

    fn put_command(&mut self, stream: u32, values: &[Value]) -> Result<(), SessionError> {
        self.put(COMMAND, 0, stream, amf0::write(values))
    }

    fn put(&mut self, type_id: u8, timestamp: u32, stream: u32, body: Vec<u8>) -> Result<(), SessionError> {
        let timestamp = RtmpTimestamp::new(timestamp);
        let payload = MessagePayload { timestamp, type_id, message_stream_id: stream, data: body.into() };
        self.out.extend(self.writer.serialize(&payload, false, false)?.bytes);
        Ok(())
    }
}

/// Messages in AMF3 begin with a byte that says that AMF0 follows.
fn without_amf3(body: &[u8]) -> &[u8] {
    body.get(1..).unwrap_or_default()
}

fn info(level: &str, code: &str, words: &str) -> Vec<(String, Value)> {
    [("level", level), ("code", code), ("description", words)]
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .into()
}

#[cfg(test)]
mod tests;
