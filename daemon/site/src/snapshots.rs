//! Snapshots of cameras, for everyone who may watch their stream.

use crate::actor::Actor;
use crate::cameras;
use crate::error::SiteError;
use crate::site::Site;
use crate::stream;
use perch_store::StreamState;
use perch_studio::snapshot::{Snapshot, SnapshotError};

/// A picture of what the camera sees, `width` pixels wide or a little more; at most a second (or one key-frame
/// interval) old.
///
/// # Errors
///
/// `NotFound`, `Unauthenticated` if its stream is for members, and `Snapshot` if nothing is on the air or no picture can be made.
pub async fn take(site: &Site, actor: &Actor, camera: &str, width: u32) -> Result<Snapshot, SiteError> {
    let found = cameras::named(site, camera)?.handle();
    let visibility = {
        let on_air = site.live.on_air();
        let on_air = on_air.borrow();
        let stream = on_air
            .iter()
            .find(|stream| stream.origin.camera() == Some(camera) && stream.state != StreamState::Ended);
        stream.map(|stream| stream.visibility).ok_or(SnapshotError::NotLive)?
    };
    if !stream::may_see(actor, visibility) {
        return Err(SiteError::Unauthenticated);
    }
    Ok(site.snapshots.take(&found, width).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::going_live::{self, GoLive};
    use crate::testing::TestSite;
    use perch_store::{Role, Visibility};
    use perch_studio::broadcast::{Start, Want};
    use perch_studio::capture::status::CameraState;
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread")]
    async fn who_may_watch_a_stream_may_have_pictures_of_it() {
        let site = TestSite::with_cameras(&["front", "back"]);
        let ann = site.account("ann", Role::Streamer).await;
        let ben = site.account("ben", Role::Viewer).await;
        let asked =
            GoLive { title: "Birds".to_owned(), visibility: Some(Visibility::Members), ..GoLive::default() };
        going_live::start(&site, &ann, asked).await.unwrap();
        let camera = site.cameras[0].handle();
        let mut state = camera.state().clone();
        state.wait_for(|state| matches!(state, CameraState::Live { .. })).await.unwrap();
        let want = Want { patience: Duration::ZERO, at_entry_points: true, start: Start::Newest };
        let mut pictures = camera.broadcast().subscribe(want);
        pictures.next().await.unwrap();
        let snapshot = take(&site, &ben, "front", 320).await.unwrap();
        assert!(snapshot.jpeg.starts_with(&[0xff, 0xd8]));
        let refused = take(&site, &site.nobody, "front", 320).await;
        assert!(matches!(refused, Err(SiteError::Unauthenticated)), "{refused:?}");
        let refused = take(&site, &ben, "back", 320).await;
        assert!(matches!(refused, Err(SiteError::Snapshot(SnapshotError::NotLive))), "{refused:?}");
        let refused = take(&site, &ben, "side", 320).await;
        assert!(matches!(refused, Err(SiteError::NotFound)), "{refused:?}");
    }
}
