//! The rules of the site that hold inside a transaction, and what the person is told who would break one.
//! A refusal changed nothing, unless it says so.

use crate::{SessionId, StreamId, StreamState, UserId};

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none, or no longer.
    #[error("there is no such {what}")]
    NotFound {
        /// User, stream, topic, message, camera.
        what: &'static str,
    },
    /// Another account has the name, in these or other letter cases.
    #[error("the username {username} is taken")]
    UsernameTaken {
        /// As it was asked for.
        username: String,
    },
    /// Another topic has the name.
    #[error("there is a topic {name} already")]
    TopicTaken {
        /// As it was asked for.
        name: String,
    },
    /// Setup is done once.
    #[error("this Perch has an owner already")]
    OwnerExists,
    /// The site is never without an owner.
    #[error("this is the last owner: make somebody else owner first")]
    LastOwner,
    /// The owner has closed it.
    #[error("registration is closed: ask the owner for an account")]
    RegistrationClosed,
    /// Nobody follows themselves.
    #[error("you cannot follow yourself")]
    OwnAccount,
    /// One camera carries one broadcast.
    #[error("the camera {camera} is taken by a stream that has not ended")]
    CameraTaken {
        /// The camera's name.
        camera: String,
        /// The stream that has it.
        stream: StreamId,
        /// Whose stream it is.
        user: UserId,
    },
    /// A stream does not go that way.
    #[error("a stream that is {from} cannot become {to}")]
    WrongState {
        /// What it is.
        from: StreamState,
        /// What was asked for.
        to: StreamState,
    },
    /// It must end first.
    #[error("the stream has not ended: stop it first")]
    NotEnded {
        /// The stream.
        stream: StreamId,
    },
    /// No login has this token.
    #[error("the refresh token is not known: log in again")]
    TokenUnknown,
    /// It is past its time; the login is closed.
    #[error("the refresh token has expired: log in again")]
    TokenExpired,
    /// It was used before, so two have it: the login is closed, on the card.
    #[error("the refresh token was used before: this login is closed, log in again")]
    TokenReused {
        /// The login that was closed.
        session: SessionId,
        /// Whose it was.
        user: UserId,
    },
    /// The account waits for the owner, or was suspended.
    #[error("the account is not active")]
    NotActive,
    /// Too much of something.
    #[error("too many {what}: at most {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// A backup goes into an empty store only.
    #[error("this store has accounts already: a backup is restored into an empty one")]
    NotEmpty,
    /// The site is never without an owner.
    #[error("nobody is an owner in this backup: nobody could look after the site")]
    NoOwner,
}
