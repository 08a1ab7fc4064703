//! 500 people in one chat of a real perchd with a real store, 20 messages a second, for a minute: `cargo bench --bench chat_crowd`. The last line is the
//! figures as JSON. Fails when anything was lost, doubled or out of order, or when the daemon keeps anything else than it acknowledged.
//!
//! `CHAT_CROWD_SECONDS` makes it shorter or longer.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed measurement")]

#[path = "../tests/support/mod.rs"]
mod support;

use serde_json::json;
use support::Daemon;
use support::crowd::{self, Crowd};

const CLIENTS: usize = 500;
const WRITERS: usize = 20;
const SECONDS: usize = 60;

fn main() {
    let seconds = std::env::var("CHAT_CROWD_SECONDS").ok().and_then(|text| text.parse().ok());
    let crowd = Crowd { clients: CLIENTS, writers: WRITERS, messages: seconds.unwrap_or(SECONDS) };
    let daemon = Daemon::start(&crowd::config());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcome = runtime.block_on(crowd::run(&daemon, crowd));
    let milliseconds = |share| outcome.delay(share).as_secs_f64() * 1e3;
    let figures = json!({
        "clients": crowd.clients,
        "messages": outcome.acknowledged,
        "deliveries": outcome.delays.len(),
        "p50_ms": milliseconds(0.5),
        "p99_ms": milliseconds(0.99),
        "max_ms": milliseconds(1.0),
        "lost": outcome.lost,
        "doubled": outcome.doubled,
        "out_of_order": outcome.out_of_order,
        "dropped": outcome.dropped,
        "kept": outcome.kept,
        "bytes_per_client": outcome.bytes_per_client(crowd.clients),
        "resident_bytes": outcome.resident_bytes,
    });
    println!("{figures}");
    let wrong = outcome.lost + outcome.doubled + outcome.out_of_order + outcome.dropped;
    assert_eq!((wrong, outcome.kept), (0, outcome.acknowledged), "the chat is not what it says");
    assert_eq!(daemon.stop(), Some(0));
}
