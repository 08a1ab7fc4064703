//! The preparation of a stream: the board is asked whether the camera supports the requested mode, and the store claims
//! the origin for the stream. Runs as tasks, because a board takes up to [`LOOKING`] to answer and a card may stall.

use super::camera::LiveCamera;
use super::error::LiveError;
use super::handle::Pressed;
use super::shared::Shared;
use crate::clock::wall;
use crate::feed::{Feed, Origin};
use crate::memory_budget::StreamShare;
use perch_store::{
    EndReason, NewStream, Role, Standing, Store, StoreError, Stream, StreamId, StreamState, User, UserId,
    VideoMode, Visibility,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Time for the board to report a camera's ability.
const LOOKING: Duration = Duration::from_secs(5);

/// A stream to put on the air.
pub(super) struct Programme {
    pub(super) stream: StreamId,
    /// `None`: the appliance's own stream, which the store does not know.
    pub(super) user: Option<UserId>,
    pub(super) origin: Origin,
    /// Its memory. `None` until the appliance's own stream has released its share.
    pub(super) share: Option<StreamShare>,
    pub(super) visibility: Visibility,
    pub(super) mode: VideoMode,
    /// True if it is recorded.
    pub(super) is_recorded: bool,
    /// Names of the relays that it is sent on to.
    pub(super) relays: Vec<String>,
    /// Time after which it ends by itself.
    pub(super) ends_in: Option<Duration>,
    /// Its state: a stream that is resumed was live before.
    pub(super) state: StreamState,
    /// Monotonic time of offset 0; set again by the first picture, except for a stream that is resumed.
    pub(super) zero: Duration,
}

/// The source of a stream's feed.
pub(super) enum Source {
    /// A camera of this board.
    Camera(LiveCamera),
    /// The feed of a publisher.
    Published(Box<dyn Feed>),
}

impl Source {
    /// Interval of key frames, if it can be configured; a publisher decides its own.
    pub(super) fn keyframe_interval(&self) -> Duration {
        match self {
            Self::Camera(camera) => camera.keyframe_interval(),
            Self::Published(_) => Duration::ZERO,
        }
    }
}

/// The one who asked for a stream, and waits.
pub(super) enum Asker {
    /// Somebody who goes live.
    Person(Box<Stream>, oneshot::Sender<Result<Stream, LiveError>>),
    /// Somebody who pressed the button.
    Button(oneshot::Sender<Result<Pressed, LiveError>>),
}

/// A stream that can be put on the air, with the one who waits for it.
pub(super) struct Prepared {
    pub(super) programme: Programme,
    pub(super) source: Source,
    pub(super) asker: Asker,
}

impl Asker {
    /// Answers the one who asked. They may be gone; the stream is started nevertheless.
    pub(super) fn tell(self, stream: StreamId, started: Result<(), LiveError>) {
        match self {
            Self::Person(as_started, answer) => _ = answer.send(started.map(|()| *as_started)),
            Self::Button(answer) => _ = answer.send(started.map(|()| Pressed::Started(stream))),
        }
    }
}

/// Checks a person's request and claims its origin in the store.
pub(super) async fn for_a_person(
    shared: &Shared,
    cameras: &[LiveCamera],
    new: NewStream,
    feed: Option<Box<dyn Feed>>,
) -> Result<(Programme, Source, Stream), LiveError> {
    let source = if let Some(feed) = feed {
        Source::Published(feed)
    } else {
        let Some(camera) = cameras.iter().find(|camera| camera.config.name == new.camera) else {
            let there: Vec<_> = cameras.iter().map(|camera| camera.config.name.as_str()).collect();
            return Err(LiveError::NoSuchCamera { camera: new.camera, there: there.join(", ") });
        };
        camera.ability(shared.hardware.clone(), LOOKING).await?.check(&new.mode)?;
        Source::Camera(camera.clone())
    };
    let share = match shared.admit(source.keyframe_interval(), &new.mode, new.record) {
        Ok(share) => Some(share),
        Err(_) if shared.is_the_appliances(&Origin::named(&new.camera)) => None,
        Err(error) => return Err(error.into()),
    };
    let (programme, stream) = claim(shared, new, share).await?;
    Ok((programme, source, stream))
}

/// A stream of the first camera in its configured mode, for the owner; before there is one, for the appliance itself.
pub(super) async fn as_usual(shared: &Shared, camera: &LiveCamera) -> Result<Programme, LiveError> {
    let mode = camera.usual_mode();
    let share = Some(shared.admit(camera.keyframe_interval(), &mode, false)?);
    let (owner, title) = shared.store(|store| Ok((first_owner(store)?, store.settings()?.site_name))).await?;
    let Some(owner) = owner else {
        return Ok(Programme {
            stream: id_of_its_own(shared)?,
            user: None,
            origin: Origin::Camera(camera.config.name.as_str().into()),
            share,
            visibility: Visibility::Public,
            mode,
            is_recorded: false,
            relays: shared.settings.relays.defaults_of(&camera.config),
            ends_in: None,
            state: StreamState::Starting,
            zero: shared.clock.monotonic(),
        });
    };
    let new = NewStream {
        user: owner.id,
        title,
        description: String::new(),
        topics: Vec::new(),
        camera: camera.config.name.clone(),
        mode,
        duration_seconds: None,
        record: false,
        visibility: Visibility::Public,
        relays: shared.settings.relays.defaults_of(&camera.config),
    };
    Ok(claim(shared, new, share).await?.0)
}

async fn claim(
    shared: &Shared,
    new: NewStream,
    share: Option<StreamShare>,
) -> Result<(Programme, Stream), LiveError> {
    let (asked, now) = (new.clone(), wall(&*shared.clock));
    let stream = shared.store(move |store| store.start_stream(&asked, now)).await?;
    let programme = Programme {
        stream: stream.facts.id,
        user: Some(new.user),
        origin: Origin::named(&new.camera),
        share,
        visibility: new.visibility,
        mode: new.mode,
        is_recorded: new.record,
        relays: new.relays,
        ends_in: new.duration_seconds.map(|seconds| Duration::from_secs(seconds.into())),
        state: StreamState::Starting,
        zero: shared.clock.monotonic(),
    };
    Ok((programme, stream))
}

/// Ends a stream in the store that could not be put on the air.
pub(super) async fn give_back(shared: Arc<Shared>, stream: StreamId) {
    let now = wall(&*shared.clock);
    let given = shared.store(move |store| store.end_stream(stream, EndReason::Interruption, now)).await;
    if let Err(error) = given {
        tracing::error!(%stream, "cannot write that a stream did not begin: {error}");
    }
}

/// An id in the store's format (ULID), for a stream that the store does not know.
fn id_of_its_own(shared: &Shared) -> Result<StreamId, LiveError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    let millis = u128::from(wall(&*shared.clock).unix_millis().max(0) as u64);
    Ok(StreamId::from_number(millis << 80 | u128::from_be_bytes(random) >> 48))
}

/// The owner whose account is the oldest of those that are not suspended.
fn first_owner(store: &Store) -> Result<Option<User>, StoreError> {
    const AT_A_TIME: usize = 100;
    let (mut oldest, mut before) = (None, None);
    loop {
        let users = store.users(before, AT_A_TIME)?;
        let Some(last) = users.last() else { return Ok(oldest) };
        before = Some(last.id);
        let may_own = |user: &User| user.role == Role::Owner && user.standing == Standing::Active;
        oldest = users.into_iter().rfind(may_own).or(oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::{NewUser, PasswordHash, Timestamp};

    #[test]
    fn the_appliances_stream_is_the_oldest_owners_who_is_not_suspended() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("perch.redb")).unwrap();
        let add = |name: &str, role, seconds: i64| {
            let new = NewUser {
                username: name.to_owned(),
                full_name: String::new(),
                email: String::new(),
                password: PasswordHash::new("x"),
            };
            let now = Timestamp::from_unix_millis(1_795_000_000_000 + seconds * 1000);
            store.add_user(&new, role, now).unwrap().id
        };
        let whose = || first_owner(&store).unwrap().map(|owner| owner.username);
        assert_eq!(whose(), None);
        add("vera", Role::Viewer, 0);
        let olga = add("olga", Role::Owner, 1);
        add("otto", Role::Owner, 2);
        assert_eq!(whose().as_deref(), Some("olga"));
        store.set_standing(olga, Standing::Suspended).unwrap();
        assert_eq!(whose().as_deref(), Some("otto"));
        store.set_standing(olga, Standing::Active).unwrap();
        assert_eq!(whose().as_deref(), Some("olga"));
    }
}
