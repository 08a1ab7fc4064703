//! Relays that are switched on and off while a stream is on the air.

use super::*;
use crate::config::{Relay, RtmpUrl, Secret};

/// A destination at which nobody listens: port 1 is reserved (tcpmux).
fn relay(name: &str) -> Relay {
    let url = RtmpUrl::parse("rtmp://127.0.0.1:1/live").ok();
    Relay { name: name.to_owned(), url, key: Some(Secret::new("x")), ..Relay::default() }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_stream_is_sent_where_it_was_last_asked_to_and_the_store_knows() {
    let house = House::new();
    house.relays.set(vec![relay("a"), relay("b")]);
    let (replay, started) = house.publish(0).await;
    let stream = started.unwrap().facts.id;
    replay.send(320, 240);
    let sent_to = |on_air: &OnAir| -> Vec<_> {
        on_air.relays.status().iter().map(|status| status.name.to_string()).collect()
    };
    assert!(sent_to(&house.goes_live(stream).await).is_empty());
    for wanted in [&["a"][..], &["b", "a", "gone"], &["b"], &[], &["a"]] {
        house.live.change_relays(stream, names(wanted)).await.unwrap();
        let mut now = sent_to(&house.goes_live(stream).await);
        now.sort();
        let mut known: Vec<_> = wanted.iter().filter(|name| **name != "gone").copied().collect();
        known.sort_unstable();
        assert_eq!(now, known);
        assert_eq!(house.store.stream(stream).unwrap().details.relays, names(wanted));
    }
    house.live.stop(stream, EndReason::User).await.unwrap();
    let late = house.live.change_relays(stream, names(&["b"])).await;
    assert!(matches!(late, Err(LiveError::NotOnAir)), "{late:?}");
}

#[tokio::test]
async fn the_cameras_own_stream_goes_where_the_page_says() {
    let mut house = House::new();
    house.gate = None;
    let here = Relay { cameras: vec!["front".to_owned()], ..relay("a") };
    house.relays.set(vec![here, relay("b")]);
    house.live.press().await.unwrap();
    let all = house.sees(|all| !all.is_empty()).await;
    let sent_to: Vec<_> = all[0].relays.status().iter().map(|status| status.name.to_string()).collect();
    assert_eq!(sent_to, ["a"]);
}
