//! What connects and is no publisher, or a bad one, beside one that is.

use super::*;
use perch_media::flv::amf0::{self, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn strangers_are_sent_away_and_touch_nobody() {
    let house = House::new(config::Ingest::default()).await;
    let clip = house.clip(16, &[]);
    let sending = ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", &house.url("one")]);
    let on_air = house.stream(house.users[0], |on_air| on_air.ended.is_none()).await;
    let want = Want { patience: Duration::ZERO, at_entry_points: true, start: Start::Oldest };
    let reading = tokio::spawn(read(on_air.feed.broadcast().subscribe(want)));

    let greeted = |said: &[u8]| [&[3][..], &[0; 3072], said].concat();
    let mut strangers = Vec::new();
    for said in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc".to_vec(),
        vec![3; 100],
        greeted(&[]),
        // A chunk size of 0, a message of 16 MB, chunks without a header before them.
        greeted(&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        greeted(&[3, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0]),
        greeted(&[0xc5; 1000]),
        // 4,000 objects in each other.
        greeted(&[&[3, 0, 0, 0, 0, 0x3e, 0x80, 20, 0, 0, 0, 0][..], &[3, 0, 1, b'a'].repeat(4000)].concat()),
    ] {
        let mut stranger = TcpStream::connect(house.address).await.unwrap();
        stranger.write_all(&said).await.unwrap();
        strangers.push(stranger);
    }
    // Some that say nothing, more than there may be.
    for _ in 0..30 {
        strangers.push(TcpStream::connect(house.address).await.unwrap());
    }
    let held = house.memory.used(Part::Publishers);
    assert!(held < 1 << 20, "{held} bytes");
    for mut stranger in strangers {
        let mut said = Vec::new();
        let closed = stranger.read_to_end(&mut said);
        // A reset closes it, too.
        let _ = tokio::time::timeout(Duration::from_secs(20), closed).await.expect("it is closed in time");
    }
    let samples = tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap();
    assert!(sending.await.unwrap().status.success());
    is_all_of(&samples, &clip);
    // There is room again.
    let next = ffmpeg(&["-re", "-t", "2", "-i", &clip, "-c", "copy", "-f", "flv", &house.url("two")]);
    assert!(!house.samples(house.users[1]).await.is_empty());
    assert!(next.await.unwrap().status.success());
}

#[tokio::test]
async fn a_program_that_sends_no_media_does_not_keep_its_place() {
    let house = House::new(config::Ingest { max_streams: 1, ..config::Ingest::default() }).await;
    let command = |values: &[Value]| {
        let body = amf0::write(values);
        [&[3, 0, 0, 0, 0, 0, body.len() as u8, 20, 0, 0, 0, 0], &body[..]].concat()
    };
    let application = Value::Object(vec![("app".to_owned(), Value::from("live"))]);
    let named = |name: &str, number: f64| vec![Value::from(name), Value::Number(number)];
    let connect = command(&[named("connect", 1.0), vec![application]].concat());
    let create = command(&[named("createStream", 2.0), vec![Value::Null]].concat());
    let publish = command(&[named("publish", 3.0), vec![Value::Null, Value::from("one")]].concat());
    let mut program = TcpStream::connect(house.address).await.unwrap();
    program.write_all(&[&[3][..], &[0; 3072], &connect, &create, &publish].concat()).await.unwrap();
    let ping = [2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0];
    let mut seconds = 0;
    while program.write_all(&ping).await.is_ok() && seconds < 30 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        seconds += 1;
    }
    assert!((8..20).contains(&seconds), "{seconds}");
    let clip = house.clip(2, &[]);
    let next = ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", &house.url("two")]);
    assert!(!house.samples(house.users[1]).await.is_empty());
    assert!(next.await.unwrap().status.success());
}
