//! An RTMP server for tests, and what is published to it.

use super::session::{FROM_SERVER, Target};
use crate::config::Secret;
use crate::rtmp::{
    ACKNOWLEDGEMENT, AUDIO, COMMAND, ChunkReader, DATA, USER_CONTROL, VIDEO, WINDOW_ACKNOWLEDGEMENT_SIZE,
};
use perch_media::flv::amf0::{self, Value};
use rml_rtmp::chunk_io::ChunkSerializer;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::time::RtmpTimestamp;

/// A server that takes everything. What it answers is in its `out`.
pub(super) struct Server {
    handshake: Option<Handshake>,
    reader: ChunkReader,
    writer: ChunkSerializer,
    pub(super) out: Vec<u8>,
    /// Names of the commands that came, with their last value where it is a text.
    pub(super) commands: Vec<(String, String)>,
    /// What `connect` came with.
    pub(super) connect: Option<Value>,
    /// Sizes at which the publisher wants acknowledgements, one for each time that it said so.
    pub(super) windows: Vec<usize>,
    /// Messages of media.
    pub(super) media: Vec<(u8, Vec<u8>)>,
    /// Acknowledgements and answers to pings.
    pub(super) controls: Vec<(u8, Vec<u8>)>,
    received: usize,
    acknowledged: usize,
    /// Bytes after which it acknowledges.
    window: usize,
    /// How it answers `publish`.
    pub(super) refuses: Option<&'static str>,
}

impl Server {
    pub(super) fn new() -> Self {
        Self {
            handshake: Some(Handshake::new(PeerType::Server)),
            reader: ChunkReader::new(FROM_SERVER),
            writer: ChunkSerializer::new(),
            out: Vec::new(),
            commands: Vec::new(),
            connect: None,
            windows: Vec::new(),
            media: Vec::new(),
            controls: Vec::new(),
            received: 0,
            acknowledged: 0,
            window: usize::MAX,
            refuses: None,
        }
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.received += bytes.len();
        let mut rest = bytes.to_vec();
        if let Some(mut handshake) = self.handshake.take() {
            match handshake.process_bytes(bytes).unwrap() {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    self.out.extend(response_bytes);
                    self.handshake = Some(handshake);
                    return;
                }
                HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                    self.out.extend(response_bytes);
                    rest = remaining_bytes;
                }
            }
        }
        self.reader.push(&rest);
        while let Some(message) = self.reader.next().unwrap() {
            match message.type_id {
                COMMAND => self.answer(&amf0::read(&message.body).unwrap()),
                ACKNOWLEDGEMENT | USER_CONTROL => self.controls.push((message.type_id, message.body)),
                AUDIO | VIDEO | DATA => self.media.push((message.type_id, message.body)),
                WINDOW_ACKNOWLEDGEMENT_SIZE => {
                    self.window = u32::from_be_bytes(*message.body.first_chunk().unwrap()) as usize;
                    self.windows.push(self.window);
                }
                _ => {}
            }
        }
        if self.received - self.acknowledged >= self.window {
            self.acknowledged = self.received;
            self.say(ACKNOWLEDGEMENT, (self.received as u32).to_be_bytes().to_vec());
        }
    }

    fn answer(&mut self, values: &[Value]) {
        let name = values[0].as_str().unwrap().to_owned();
        let text = values.iter().rev().find_map(Value::as_str).unwrap_or_default().to_owned();
        let number = Value::Number(values[1].as_number().unwrap());
        let result = |info| vec![Value::from("_result"), number.clone(), Value::Null, info];
        let status = |level: &str, code: &str| {
            let fields = [("level", level), ("code", code), ("description", "key SECRET is\nnot known")];
            let fields =
                fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
            vec![Value::from("onStatus"), Value::Number(0.0), Value::Null, Value::Object(fields)]
        };
        if name == "connect" {
            self.connect = values.get(2).cloned();
        }
        match (name.as_str(), self.refuses) {
            ("connect", _) => self.say(COMMAND, amf0::write(&result(Value::Null))),
            ("createStream", _) => self.say(COMMAND, amf0::write(&result(Value::Number(7.0)))),
            ("publish", None) => {
                self.say(COMMAND, amf0::write(&status("status", "NetStream.Publish.Start")));
            }
            ("publish", Some(code)) => self.say(COMMAND, amf0::write(&status("error", code))),
            ("releaseStream" | "FCPublish", _) => {
                self.say(COMMAND, amf0::write(&[Value::from("_error"), number, Value::Null, Value::Null]));
            }
            _ => {}
        }
        self.commands.push((name, text));
    }

    pub(super) fn say(&mut self, type_id: u8, body: Vec<u8>) {
        let timestamp = RtmpTimestamp::new(0);
        let payload = MessagePayload { timestamp, type_id, message_stream_id: 0, data: body.into() };
        self.out.extend(self.writer.serialize(&payload, false, false).unwrap().bytes);
    }
}

pub(super) fn target() -> Target {
    Target {
        application: "live".to_owned(),
        tc_url: "rtmp://example.org/live".to_owned(),
        key: Secret::new("SECRET"),
    }
}
