//! The site's rules that are checked inside a transaction, with the text for a person who breaks one. A refusal changes
//! nothing, unless its documentation says otherwise.

use crate::{SessionId, StreamId, StreamState, UserId};

/// Why the store refused a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not exist, or no longer does.
    #[error("there is no such {what}")]
    NotFound {
        /// The missing thing: user, stream, topic, message, camera.
        what: &'static str,
    },
    /// Another account has the name, perhaps in other letter cases.
    #[error("the username {username} is taken")]
    UsernameTaken {
        /// The requested name.
        username: String,
    },
    /// Another account's name looks the same (UTS #39).
    #[error("the username {username} looks like {other}, which is taken")]
    UsernameAlike {
        /// The requested name.
        username: String,
        /// The other account's name.
        other: String,
    },
    /// Another topic has the name.
    #[error("there is already a topic {name}")]
    TopicTaken {
        /// The requested name.
        name: String,
    },
    /// Another relay has the name.
    #[error("there is already a relay {name}")]
    RelayTaken {
        /// As it was requested.
        name: String,
    },
    /// The owner already exists: setup is done once.
    #[error("this Perch already has an owner")]
    OwnerExists,
    /// The site is never without an owner.
    #[error("this is the last owner: make somebody else owner first")]
    LastOwner,
    /// The owner closed registration.
    #[error("registration is closed: ask the owner for an account")]
    RegistrationClosed,
    /// An account cannot follow itself.
    #[error("you cannot follow yourself")]
    OwnAccount,
    /// An account cannot mute or ban itself.
    #[error("you cannot mute or ban yourself")]
    BarsSelf,
    /// A streamer cannot be muted or banned in their own chats.
    #[error("this is their own chat: its streamer cannot be muted or banned in it")]
    BarsStreamer,
    /// The rules of chats do not hold for owners.
    #[error("an owner cannot be muted or banned")]
    BarsOwner,
    /// One camera carries one broadcast.
    #[error("the camera {camera} is taken by a stream that has not ended")]
    CameraTaken {
        /// The name of the camera.
        camera: String,
        /// The stream that has it.
        stream: StreamId,
        /// Whose stream it is.
        user: UserId,
    },
    /// The stream's state does not allow it.
    #[error("a stream that is {from} cannot become {to}")]
    WrongState {
        /// Its state.
        from: StreamState,
        /// The requested state.
        to: StreamState,
    },
    /// The stream must end first.
    #[error("the stream has not ended: stop it first")]
    NotEnded {
        /// The stream.
        stream: StreamId,
    },
    /// No login has this token.
    #[error("unknown refresh token: log in again")]
    TokenUnknown,
    /// The token has expired; the login is closed.
    #[error("the refresh token has expired: log in again")]
    TokenExpired,
    /// The token was used before, so two parties have it: the login is closed, and that is committed.
    #[error("the refresh token was used before: this login is closed, log in again")]
    TokenReused {
        /// The login that was closed.
        session: SessionId,
        /// The account it belonged to.
        user: UserId,
    },
    /// The account waits for the owner's approval, or was suspended.
    #[error("the account is not active")]
    NotActive,
    /// A limit is exceeded.
    #[error("too many {what}: at most {most}")]
    TooMany {
        /// The things of which there are too many.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// A backup can be restored into an empty store only.
    #[error("this store already has accounts: a backup can be restored only into an empty one")]
    NotEmpty,
    /// The site is never without an owner.
    #[error("this backup has no owner: nobody could manage the site")]
    NoOwner,
}
