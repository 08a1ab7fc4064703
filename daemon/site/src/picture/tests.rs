//! Slots for uploads.

use super::*;

fn account(number: u128) -> UserId {
    UserId::from_number(number)
}

#[tokio::test(start_paused = true)]
async fn uploads_wait_for_their_turn_and_not_for_ever() {
    let pictures = Pictures::default();
    let mut slots = Vec::new();
    for number in 0..UPLOADS {
        slots.push(pictures.begin(account(number as u128)).await.unwrap());
    }
    assert_eq!(pictures.begin(account(9)).await.err(), Some(PictureError::Busy));
    slots.pop();
    assert!(pictures.begin(account(9)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_account_uploads_one_at_a_time() {
    let pictures = Pictures::default();
    let first = pictures.begin(account(1)).await.unwrap();
    assert_eq!(pictures.begin(account(1)).await.err(), Some(PictureError::Another));
    assert!(pictures.begin(account(2)).await.is_ok());
    drop(first);
    assert!(pictures.begin(account(1)).await.is_ok());
}

#[test]
fn a_picture_is_known_by_its_first_bytes() {
    for (head, is_picture) in [
        (&b"\x89PNG\r\n\x1a\n\0\0\0\x0d"[..], true),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01", true),
        (b"RIFF\x10\0\0\0WEBP", true),
        (b"RIFF\x10\0\0\0WAVE", false),
        (b"GIF89a\x01\0\x01\0\0\0", false),
        (b"\x89PNG", false),
        (b"", false),
    ] {
        assert_eq!(looks_like_one(head), is_picture, "{head:?}");
    }
}
