//! Recordings that users delete: hidden at once, restorable for a while, and the first to go when space is needed.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_deleted_is_hidden_at_once_and_comes_back_while_its_room_is_not_needed() {
    for count in [1, 2, 5] {
        let mut house = house();
        let mut streams = Vec::new();
        for number in 0..count {
            let stream = house.stream("front");
            let mut live = house.record(stream);
            live.seconds(number * 100..number * 100 + 4).await;
            live.end().await;
            streams.push(stream);
        }
        let of_all = streams.len();
        let seen = |house: &House| {
            streams.iter().filter(|stream| house.recordings.files(**stream).unwrap().is_some()).count()
        };
        house.recordings.pin(streams[0], true).unwrap();
        house.recordings.delete(streams[0]).unwrap();
        assert_eq!((seen(&house), house.listed().len()), (of_all - 1, 3 * of_all));
        assert!(house.recordings.delete(streams[0]).is_err(), "it is deleted");
        assert_eq!(house.recordings.verify().unwrap(), Vec::<String>::new(), "its files are known");
        house.recordings.restore(streams[0]).unwrap();
        assert!(house.recordings.recording(streams[0]).unwrap().unwrap().is_pinned);
        assert!(house.recordings.restore(streams[0]).is_err(), "it is back");
        assert_eq!(house.recordings.verify().unwrap(), Vec::<String>::new());

        assert_eq!(house.recordings.delete_all(house.user).unwrap(), of_all);
        assert_eq!((seen(&house), house.listed().len()), (0, 3 * of_all));
        assert_eq!(house.recordings.restore_all(house.user).unwrap(), of_all);
        assert_eq!(house.recordings.restore_all(house.user).unwrap(), 0);
        assert_eq!(seen(&house), of_all);

        // They are gone after ten minutes, and after a restart of the daemon.
        house.recordings.delete(streams[0]).unwrap();
        house.clock.turn(trash::KEPT);
        house.recordings.tend().unwrap();
        assert_eq!(house.listed().len(), 3 * (of_all - 1));
        assert!(house.recordings.restore(streams[0]).is_err());
        house.recordings.delete_all(house.user).unwrap();
        house = house.after_a_restart();
        assert_eq!(house.listed(), Vec::<PathBuf>::new());
        assert_eq!(house.recordings.restore_all(house.user).unwrap(), 0);
        assert_eq!(house.store.all_recordings().unwrap(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn what_people_deleted_goes_first_when_room_is_needed_and_with_its_stream() {
    let house = house_with(&config::Recording {
        budget: config::Budget::Bytes(17_000_000),
        keep_free: 0,
        ..config::Recording::default()
    });
    let mut streams = Vec::new();
    for number in 0..3 {
        let stream = house.stream("front");
        let mut live = house.record(stream);
        live.seconds(number * 100..number * 100 + 5).await;
        live.end().await;
        streams.push(stream);
    }
    house.recordings.delete(streams[2]).unwrap();
    assert!(house.recordings.make_room(1000).unwrap());
    house.recordings.restore(streams[2]).unwrap();
    house.recordings.delete(streams[2]).unwrap();
    assert!(!house.recordings.make_room(u64::MAX / 4).unwrap());
    assert_eq!(house.listed(), Vec::<PathBuf>::new());
    assert!(house.recordings.restore(streams[2]).is_err());

    let stream = house.stream("front");
    let mut live = house.record(stream);
    live.seconds(400..405).await;
    live.end().await;
    house.recordings.delete(stream).unwrap();
    house.store.delete_stream(stream).unwrap();
    house.recordings.remove_what_is_deleted().unwrap();
    assert_eq!(house.listed(), Vec::<PathBuf>::new(), "a stream that is deleted takes its recording along");
}

#[tokio::test(start_paused = true)]
async fn a_recording_is_deleted_while_it_grows_and_its_stream_goes_on() {
    let house = house();
    let stream = house.stream("front");
    let mut live = house.record(stream);
    live.seconds(0..5).await;
    house.recordings.delete(stream).unwrap();
    assert_eq!(house.recordings.recording(stream).unwrap(), None);
    live.seconds(5..9).await;
    live.end().await;
    assert_eq!(house.listed(), Vec::<PathBuf>::new());
    assert_eq!(house.store.all_recordings().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_is_deleted_while_the_card_takes_nothing_does_not_come_back() {
    let house = house();
    let stream = house.stream("front");
    let mut live = house.record(stream);
    live.seconds(0..5).await;
    let folder = house.dir.path().join("recordings");
    let away = house.dir.path().join("away");
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    live.seconds(5..9).await;
    assert!(house.recordings.trouble(stream).is_some());
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    house.recordings.delete(stream).unwrap();
    live.seconds(9..20).await;
    assert_eq!(house.recordings.recording(stream).unwrap(), None);
    assert_eq!((house.recordings.trouble(stream), house.faults.any()), (None, false));
    live.end().await;
    assert_eq!(house.listed(), Vec::<PathBuf>::new());
    assert_eq!(house.store.all_recordings().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn recordings_go_with_their_streams_and_oldest_first() {
    let house = house_with(&config::Recording {
        budget: config::Budget::Bytes(17_000_000),
        keep_free: 0,
        ..config::Recording::default()
    });
    let mut streams = Vec::new();
    for number in 0..4 {
        let stream = house.stream("front");
        let mut live = house.record(stream);
        live.seconds(number * 100..number * 100 + 5).await;
        live.end().await;
        streams.push(stream);
    }
    house.recordings.pin(streams[0], true).unwrap();
    house.store.delete_stream(streams[3]).unwrap();
    house.recordings.remove_what_is_deleted().unwrap();
    assert_eq!(house.recordings.storage().unwrap().recordings, 3);
    assert_eq!(house.recordings.storage().unwrap().goes_next.unwrap().stream, streams[1]);
    assert_eq!(house.listed().len(), 9);
    assert!(house.recordings.make_room(16_870_000).unwrap());
    assert_eq!(house.store.recording(streams[1]).unwrap(), None);
    assert!(house.store.recording(streams[0]).unwrap().is_some());
}
