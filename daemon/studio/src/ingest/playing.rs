//! Playing a stream by RTMP: a public stream, by its id. The ring of the broadcast is the queue, as for relays; a player that is too slow gets the next entry.

use super::connection::{Broken, Connection};
use super::desk::Desk;
use crate::broadcast::{Item, Start, Want};
use crate::live::OnAir;
use crate::relay::{Asked, Kind, Tagger};
use crate::rtmp::{AUDIO, DATA, VIDEO};
use perch_store::Visibility;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Ten times a second, or with an entry at once, there is something to send.
const WANT: Want = Want { patience: Duration::from_millis(100), at_entry_points: true, start: Start::Newest };
/// Nothing more is taken out of the ring while this much waits to be sent.
const UNSENT: usize = 64 << 10;
/// A player that takes nothing for this long is gone.
const STUCK: Duration = Duration::from_secs(10);

/// Sends the stream of this name until it ends or the program goes.
pub(super) async fn play(mut connection: Connection, desk: &Desk, name: &str) {
    let find = |all: &Arc<[OnAir]>| all.iter().find(|on_air| is_shown(on_air, name)).cloned();
    let mut all = desk.live.on_air();
    let Some(on_air) = find(&all.borrow_and_update()) else {
        return connection.refuse("there is no public stream of this name on the air").await;
    };
    tracing::info!(from = %connection.peer(), stream = name, "a program watches a stream");
    let asked =
        Asked { frames_per_second: on_air.asked.frames_per_second, bitrate_kbps: on_air.asked.bitrate_kbps };
    let reader = on_air.feed.broadcast().subscribe(WANT);
    drop(on_air);
    let sending = send(&mut connection, reader, asked);
    let is_hidden = all.wait_for(|all| !all.iter().any(|on_air| is_shown(on_air, name)));
    tokio::select! {
        broken = sending => {
            if let Err(broken) = broken {
                tracing::info!(from = %connection.peer(), stream = name, "a program watches no more: {broken}");
                return;
            }
        }
        _ = is_hidden => {}
    }
    connection.refuse("the stream has ended").await;
}

fn is_shown(on_air: &OnAir, name: &str) -> bool {
    on_air.visibility == Visibility::Public && on_air.ended.is_none() && on_air.stream.to_string() == name
}

/// Sends samples until the stream ends.
async fn send(
    connection: &mut Connection,
    mut reader: crate::broadcast::Reader,
    asked: Asked,
) -> Result<(), Broken> {
    connection.play()?;
    let (mut tagger, mut tags) = (Tagger::new(asked), Vec::new());
    let mut moved_at = Instant::now();
    loop {
        let has_room = connection.unsent() < UNSENT;
        let item = tokio::select! {
            biased;
            came = connection.progress(true) => {
                came?;
                moved_at = Instant::now();
                // Pings are answered, and a farewell ends it.
                while let Some(event) = connection.next()? {
                    if event == super::session::Event::Unpublished {
                        return Err(Broken::Closed);
                    }
                }
                continue;
            }
            item = reader.next(), if has_room => item,
            () = sleep_until(moved_at + STUCK), if !has_room => return Err(Broken::Stuck),
        };
        match item {
            None => return Ok(()),
            Some(Item::Lagged { .. }) => tagger.skip(),
            Some(Item::Sample(published)) => tagger.push(&published.sample, &mut tags),
        }
        for tag in tags.drain(..) {
            let type_id = match tag.kind {
                Kind::Metadata => DATA,
                Kind::Video => VIDEO,
                Kind::Audio => AUDIO,
            };
            connection.send(type_id, tag.timestamp, tag.body)?;
        }
    }
}
