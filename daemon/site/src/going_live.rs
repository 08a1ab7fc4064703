//! Going live, and the defaults of a new stream.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::relays;
use crate::site::Site;
use crate::stream::{Perspective, SeenStream};
use crate::stream_text;
use crate::text::FieldError;
use perch_store::{NewStream, Refusal, StoreError, VideoMode, Visibility};
use perch_studio::live::{LiveCamera, LiveError};
use std::ops::RangeInclusive;

/// Seconds after which a stream may end by itself: 10 s to 31 days.
const DURATION_SECONDS: RangeInclusive<u32> = 10..=31 * 24 * 3600;

/// A stream to start. `None` takes the camera's configured value.
#[derive(Debug, Clone, Default)]
pub struct GoLive {
    /// 1 to 100 characters.
    pub title: String,
    /// Up to 5000 characters.
    pub description: String,
    /// Ids of topics.
    pub topics: Vec<String>,
    /// A camera's name; `None`: the first one.
    pub camera: Option<String>,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// Frames per second.
    pub frames_per_second: Option<u32>,
    /// Kilobits (1000 bits) per second.
    pub bitrate_kbps: Option<u32>,
    /// Seconds after which it ends by itself; `None`: never.
    pub duration_seconds: Option<u32>,
    /// True if it is recorded.
    pub record: bool,
    /// Who may watch; `None`: everyone.
    pub visibility: Option<Visibility>,
    /// Names of relays; `None`: those of the camera.
    pub relays: Option<Vec<String>>,
}

/// Goes live in the actor's name: claims the camera and configures it as requested. Returns as soon as the stream is starting.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden` for viewers and for the console (which has no account), `Field` for an invalid value,
/// `CameraTaken`, and `Live` if the camera is missing.
pub async fn start(site: &Site, actor: &Actor, asked: GoLive) -> Result<SeenStream, SiteError> {
    actor.streamer()?;
    let user = actor.member()?.user;
    let camera = camera(site, asked.camera.as_deref())?;
    if asked.duration_seconds.is_some_and(|duration| !DURATION_SECONDS.contains(&duration)) {
        return Err(refused("duration_seconds", "must be from 10 seconds to 31 days"));
    }
    let relays = asked.relays.unwrap_or_else(|| site.relays.defaults_of(&camera.config));
    relays::check(site, &relays)?;
    let title = stream_text::title(&asked.title)?;
    let description = stream_text::description(&asked.description)?;
    let topics = asked.topics;
    let topics = site.store(move |store| stream_text::topics(store, &topics)).await?;
    let usual = camera.usual_mode();
    let new = NewStream {
        user,
        title,
        description,
        topics,
        camera: camera.config.name.clone(),
        mode: VideoMode {
            width: asked.width.unwrap_or(usual.width),
            height: asked.height.unwrap_or(usual.height),
            frames_per_second: asked.frames_per_second.unwrap_or(usual.frames_per_second),
            bitrate_kbps: asked.bitrate_kbps.unwrap_or(usual.bitrate_kbps),
        },
        duration_seconds: asked.duration_seconds,
        record: asked.record,
        visibility: asked.visibility.unwrap_or(Visibility::Public),
        relays,
    };
    let stream = match site.live.start(new).await {
        Ok(stream) => stream,
        Err(LiveError::Store(StoreError::Refused(Refusal::CameraTaken { camera, stream, user }))) => {
            let username = site.store(move |store| store.user(user)).await?.username;
            return Err(SiteError::CameraTaken { camera, stream: stream.to_string(), username });
        }
        Err(error) => return Err(error.into()),
    };
    let perspective = Perspective::of(site, actor);
    site.store(move |store| perspective.see(store, stream)).await
}

fn camera<'a>(site: &'a Site, name: Option<&str>) -> Result<&'a LiveCamera, SiteError> {
    let camera = match name {
        Some(name) => site.cameras.iter().find(|camera| camera.config.name == name),
        None => site.cameras.first(),
    };
    camera.ok_or_else(|| {
        let there: Vec<_> = site.cameras.iter().map(|camera| camera.config.name.as_str()).collect();
        refused("camera", &format!("there is no such camera; there is {}", there.join(", ")))
    })
}

fn refused(field: &'static str, why: &str) -> SiteError {
    FieldError { field, why: why.to_owned() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::{Role, StreamState};

    fn birds() -> GoLive {
        GoLive { title: " Birds ".to_owned(), ..GoLive::default() }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_not_asked_for_is_as_the_camera_is_configured() {
        let site = TestSite::with_cameras(&["front", "back"]);
        let ann = site.account("ann", Role::Streamer).await;
        let seen = start(&site, &ann, birds()).await.unwrap();
        let (details, facts) = (&seen.stream.details, &seen.stream.facts);
        assert_eq!((details.title.as_str(), details.camera.as_str()), ("Birds", "front"));
        assert_eq!(details.mode, site.cameras[0].usual_mode());
        assert_eq!(facts.visibility, Visibility::Public);
        assert!(facts.state != StreamState::Ended && seen.may_edit && seen.is_playable);
        let back = GoLive { camera: Some("back".to_owned()), width: Some(640), height: Some(480), ..birds() };
        let mode = start(&site, &ann, back).await.unwrap().stream.details.mode;
        let usual = site.cameras[1].usual_mode();
        assert_eq!(mode, VideoMode { width: 640, height: 480, ..usual });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_camera_that_is_taken_names_whose_stream_has_it() {
        let site = TestSite::with_cameras(&["front"]);
        let ann = site.account("ann", Role::Streamer).await;
        let olga = site.account("olga", Role::Owner).await;
        let first = start(&site, &ann, birds()).await.unwrap().stream.facts.id.to_string();
        match start(&site, &olga, birds()).await {
            Err(SiteError::CameraTaken { camera, stream, username }) => {
                assert_eq!((camera.as_str(), stream, username.as_str()), ("front", first, "ann"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn streamers_and_owners_go_live_and_nobody_else() {
        let site = TestSite::with_cameras(&["front"]);
        let ben = site.account("ben", Role::Viewer).await;
        for actor in [&ben, &Actor::Console] {
            let refused = start(&site, actor, birds()).await;
            assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        }
        let refused = start(&site, &site.nobody, birds()).await;
        assert!(matches!(refused, Err(SiteError::Unauthenticated)), "{refused:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_does_not_fit_is_named_and_nothing_goes_live() {
        let site = TestSite::with_cameras(&["front"]);
        let ann = site.account("ann", Role::Streamer).await;
        for (field, asked) in [
            ("title", GoLive { title: " ".to_owned(), ..birds() }),
            ("description", GoLive { description: "x".repeat(5001), ..birds() }),
            ("topics", GoLive { topics: vec!["x".to_owned()], ..birds() }),
            ("camera", GoLive { camera: Some("side".to_owned()), ..birds() }),
            ("duration_seconds", GoLive { duration_seconds: Some(9), ..birds() }),
            ("relays", GoLive { relays: Some(vec!["x".to_owned()]), ..birds() }),
        ] {
            let refused = start(&site, &ann, asked).await;
            assert!(matches!(&refused, Err(SiteError::Field(error)) if error.field == field), "{refused:?}");
        }
        let refused = start(&site, &ann, GoLive { width: Some(1), ..birds() }).await;
        assert!(matches!(refused, Err(SiteError::Live(LiveError::Unable(_)))), "{refused:?}");
        assert!(site.store.unfinished_streams().unwrap().is_empty());
    }
}
