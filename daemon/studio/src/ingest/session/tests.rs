//! A session talked to by a program, by what is not a program, and by what only wants to do harm.

use super::*;
use crate::rtmp::SET_CHUNK_SIZE;
use proptest::prelude::*;

/// The client's side, as programs do it.
struct Program {
    handshake: Option<Handshake>,
    reader: ChunkReader,
    writer: ChunkSerializer,
    /// Commands that came: name, and the code or the last value.
    heard: Vec<(String, String)>,
    controls: Vec<(u8, Vec<u8>)>,
}

impl Program {
    /// Connected to `session` by a handshake.
    fn new(session: &mut Session) -> Self {
        let mut handshake = Handshake::new(PeerType::Client);
        session.receive(&handshake.generate_outbound_p0_and_p1().unwrap()).unwrap();
        let HandshakeProcessResult::Completed { response_bytes, .. } =
            handshake.process_bytes(&std::mem::take(session.out())).unwrap()
        else {
            panic!("the server sends all of its handshake at once")
        };
        session.receive(&response_bytes).unwrap();
        let limits = Limits { command: 10_000, media: 0, sum: 10_000 };
        let (reader, writer) = (ChunkReader::new(limits), ChunkSerializer::new());
        Self { handshake: None, reader, writer, heard: Vec::new(), controls: Vec::new() }
    }

    fn bytes(&mut self, type_id: u8, timestamp: u32, body: Vec<u8>) -> Vec<u8> {
        let timestamp = RtmpTimestamp::new(timestamp);
        let payload = MessagePayload { timestamp, type_id, message_stream_id: 1, data: body.into() };
        self.writer.serialize(&payload, false, false).unwrap().bytes
    }

    /// Says something, and hears the answers.
    fn say(&mut self, session: &mut Session, type_id: u8, timestamp: u32, body: Vec<u8>) -> Vec<Event> {
        let bytes = self.bytes(type_id, timestamp, body);
        session.receive(&bytes).unwrap();
        self.events(session)
    }

    fn events(&mut self, session: &mut Session) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = session.next().unwrap() {
            events.push(event);
        }
        self.hear(session);
        events
    }

    fn hear(&mut self, session: &mut Session) {
        assert!(self.handshake.is_none());
        self.reader.push(&std::mem::take(session.out()));
        while let Some(message) = self.reader.next().unwrap() {
            if message.type_id != COMMAND {
                self.controls.push((message.type_id, message.body));
                continue;
            }
            let values = amf0::read(&message.body).unwrap();
            let last = values.last().unwrap();
            let text = last.get("code").or(last.get("level")).unwrap_or(last);
            let text = match text {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => String::new(),
            };
            self.heard.push((values[0].as_str().unwrap().to_owned(), text));
        }
    }

    fn command(&mut self, session: &mut Session, name: &str, number: f64, values: &[Value]) -> Vec<Event> {
        let body = amf0::write(&[&[Value::from(name), Value::Number(number)], values].concat());
        self.say(session, COMMAND, 0, body)
    }

    fn connect(&mut self, session: &mut Session, application: &str) -> Vec<Event> {
        let fields = Value::Object(vec![("app".to_owned(), Value::from(application))]);
        self.command(session, "connect", 1.0, &[fields])
    }

    fn publish(&mut self, session: &mut Session, name: &str) -> Vec<Event> {
        self.command(session, "createStream", 4.0, &[Value::Null]);
        self.command(session, "publish", 5.0, &[Value::Null, Value::from(name), Value::from("live")])
    }
}

fn heard(program: &Program) -> Vec<(&str, &str)> {
    program.heard.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

fn key(text: &str) -> Event {
    Event::Publish(StreamKey::new(text).unwrap())
}

/// A session that publishes.
fn publishing() -> (Session, Program) {
    let mut session = Session::new();
    let mut program = Program::new(&mut session);
    program.connect(&mut session, "live");
    assert_eq!(program.publish(&mut session, "abc"), [key("abc")]);
    session.accept().unwrap();
    program.hear(&mut session);
    (session, program)
}

#[test]
fn a_program_publishes_and_leaves() {
    let mut session = Session::new();
    let mut program = Program::new(&mut session);
    assert_eq!(program.connect(&mut session, "live"), []);
    for (name, number) in [("releaseStream", 2.0), ("FCPublish", 3.0)] {
        assert_eq!(program.command(&mut session, name, number, &[Value::Null, Value::from("abc")]), []);
    }
    assert_eq!(program.publish(&mut session, "abc?x=1"), [key("abc")]);
    session.accept().unwrap();
    program.hear(&mut session);
    let facts =
        amf0::write(&[Value::from("@setDataFrame"), Value::from("onMetaData"), Value::EcmaArray(Vec::new())]);
    assert_eq!(program.say(&mut session, DATA, 0, facts), [Event::Facts(Facts::default())]);
    let picture = vec![7; 10_000];
    let late = 0x0100_0000;
    assert_eq!(program.say(&mut session, VIDEO, late, picture.clone()), [Event::Video(late, picture)]);
    assert_eq!(program.say(&mut session, AUDIO, late + 5, vec![8]), [Event::Sound(late + 5, vec![8])]);
    assert_eq!(program.command(&mut session, "FCUnpublish", 6.0, &[Value::Null]), [Event::Unpublished]);
    assert_eq!(program.command(&mut session, "deleteStream", 7.0, &[Value::Null, Value::Number(1.0)]), []);
    assert_eq!(
        heard(&program),
        [
            ("_result", "NetConnection.Connect.Success"),
            ("_result", ""),
            ("_result", ""),
            ("_result", "1"),
            ("onStatus", "NetStream.Publish.Start"),
            ("onStatus", "NetStream.Unpublish.Success"),
        ]
    );
    let controls: Vec<_> = program.controls.iter().map(|(type_id, _)| *type_id).collect();
    assert_eq!(controls, [WINDOW_ACKNOWLEDGEMENT_SIZE, SET_PEER_BANDWIDTH]);
}

#[test]
fn the_key_may_stand_in_the_address() {
    let mut session = Session::new();
    let mut program = Program::new(&mut session);
    program.connect(&mut session, "/live/abc/");
    assert_eq!(program.publish(&mut session, ""), [key("abc")]);
}

#[test]
fn refusals_are_told_in_rtmps_own_terms() {
    let mut session = Session::new();
    let mut program = Program::new(&mut session);
    let refused = program.connect(&mut session, "app");
    assert!(matches!(&refused[..], [Event::Refused(why)] if why.contains("/live")), "{refused:?}");
    assert_eq!(heard(&program), [("_error", "NetConnection.Connect.Rejected")]);

    for name in ["", "two words"] {
        let mut session = Session::new();
        let mut program = Program::new(&mut session);
        program.connect(&mut session, "live");
        assert!(matches!(&program.publish(&mut session, name)[..], [Event::Refused(_)]));
        assert_eq!(heard(&program).last(), Some(&("onStatus", "NetStream.Publish.BadName")));
    }

    let (mut session, mut program) = publishing();
    session.refuse("no").unwrap();
    program.hear(&mut session);
    assert_eq!(heard(&program).last(), Some(&("onStatus", "NetStream.Publish.BadName")));
    assert_eq!(program.say(&mut session, VIDEO, 0, vec![1]), [], "nothing more is taken");
}

#[test]
fn pings_and_windows_are_answered() {
    let (mut session, mut program) = publishing();
    program.controls.clear();
    program.say(&mut session, USER_CONTROL, 0, vec![0, 6, 1, 2, 3, 4]);
    program.say(&mut session, USER_CONTROL, 0, vec![0, 99]);
    program.say(&mut session, WINDOW_ACKNOWLEDGEMENT_SIZE, 0, vec![0, 0, 0, 50]);
    program.say(&mut session, AUDIO, 0, vec![0; 60]);
    let acknowledged = (session.received as u32).to_be_bytes().to_vec();
    assert_eq!(program.controls.first(), Some(&(USER_CONTROL, vec![0, 7, 1, 2, 3, 4])));
    assert_eq!(program.controls.last(), Some(&(ACKNOWLEDGEMENT, acknowledged)));
}

/// What ends a server built on `rml_rtmp` with a panic, or the whole process.
#[test]
fn what_ends_other_servers_ends_nothing_here() {
    // Sound inside a picture's chunks, and a size of chunks inside them.
    let (mut session, mut program) = publishing();
    let picture = program.bytes(VIDEO, 40, vec![7; 300]);
    // Its first chunk, after a header of 12 bytes.
    let mut bytes = picture[..12 + 128].to_vec();
    bytes.extend([5, 0, 0, 41, 0, 0, 1, AUDIO, 1, 0, 0, 0, 9]);
    bytes.extend([2, 0, 0, 0, 0, 0, 4, SET_CHUNK_SIZE, 0, 0, 0, 0, 0, 0, 16, 0]);
    bytes.extend([0xc4]);
    bytes.extend([7; 172]);
    session.receive(&bytes).unwrap();
    let expected = [Event::Sound(41, vec![9]), Event::Video(40, vec![7; 300])];
    assert_eq!(program.events(&mut session), expected);

    // Commands with few values, and data without any.
    let (mut session, mut program) = publishing();
    for values in
        [&[][..], &[Value::from("connect")], &[Value::from("publish"), Value::Number(1.0)], &[Value::Null]]
    {
        assert_eq!(program.say(&mut session, COMMAND, 0, amf0::write(values)), []);
        assert_eq!(program.say(&mut session, DATA, 0, amf0::write(values)), []);
    }
    let without_name = amf0::write(&[Value::from("@setDataFrame")]);
    assert_eq!(program.say(&mut session, DATA, 0, without_name), []);
    let without_facts = amf0::write(&[Value::from("@setDataFrame"), Value::from("onMetaData")]);
    assert_eq!(program.say(&mut session, DATA, 0, without_facts), []);
    // An extended step below 0xffffff.
    session.receive(&[7, 0, 0, 9, 0, 0, 1, AUDIO, 1, 0, 0, 0, 5]).unwrap();
    session.receive(&[0x47, 0xff, 0xff, 0xff, 0, 0, 1, AUDIO, 0, 0, 0, 7, 6]).unwrap();
    assert_eq!(program.events(&mut session), [Event::Sound(9, vec![5]), Event::Sound(16, vec![6])]);
    // Dates, long texts and XML are values like others.
    let text = Value::String("x".repeat(70_000));
    assert_eq!(program.say(&mut session, COMMAND, 0, amf0::write(&[Value::from("x"), Value::Date(1.0)])), []);
    session.receive(&program.bytes(COMMAND, 0, amf0::write(&[text]))).unwrap();
    assert!(
        matches!(session.next(), Err(SessionError::Chunk(ChunkError::TooLong(_)))),
        "longer than commands are"
    );

    // A bomb of objects, before any login.
    let mut session = Session::new();
    let mut program = Program::new(&mut session);
    let bomb = [3, 0, 1, b'a'].repeat(4000);
    session.receive(&program.bytes(COMMAND, 0, bomb)).unwrap();
    assert!(matches!(session.next(), Err(SessionError::Amf0(Amf0Error::TooDeep))));
}

#[test]
fn a_stranger_may_not_say_much() {
    let mut session = Session::new();
    let mut program = Program::new(&mut session);
    session.receive(&program.bytes(VIDEO, 0, vec![0; 20_000])).unwrap();
    assert!(matches!(session.next(), Err(SessionError::Chunk(ChunkError::TooLong(20_000)))));

    let mut session = Session::new();
    let mut program = Program::new(&mut session);
    program.connect(&mut session, "live");
    let command = amf0::write(&[Value::from("createStream"), Value::Number(2.0)]);
    let flood = (0..COMMANDS_MOST).try_for_each(|_| {
        session.receive(&program.bytes(COMMAND, 0, command.clone()))?;
        session.out().clear();
        session.next().map(|event| assert_eq!(event, None))
    });
    assert!(matches!(flood, Err(SessionError::Flood)));
}

#[test]
fn another_protocol_is_told_apart() {
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\0", b"\x06rtmpe"] {
        let error = Session::new().receive(bytes).unwrap_err().to_string();
        assert!(error.starts_with("it does not speak RTMP"), "{error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_after_the_handshake_are_survived_within_bounds(
        pieces in prop::collection::vec(prop::collection::vec(prop_oneof![0u8..24, any::<u8>()], 0..300), 0..12),
        is_publishing in any::<bool>(),
    ) {
        let mut session = if is_publishing { publishing().0 } else {
            let mut session = Session::new();
            Program::new(&mut session);
            session
        };
        for piece in pieces {
            if session.receive(&piece).is_err() {
                break;
            }
            while let Ok(Some(_)) = session.next() {}
            prop_assert!(session.held() < 1 << 20);
        }
    }

    #[test]
    fn any_handshake_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let mut session = Session::new();
        for piece in [&[3][..], &bytes] {
            if session.receive(piece).is_err() {
                return Ok(());
            }
            while let Ok(Some(_)) = session.next() {}
        }
    }
}
