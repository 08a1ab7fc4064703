//! Ids: ULIDs (github.com/ulid/spec), a type for each kind, so that they cannot be mixed up. They sort by age, as numbers and as
//! text.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use ulid::Ulid;

/// A point of wall time: milliseconds since 1970-01-01T00:00:00Z, negative before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Converts from milliseconds since 1970-01-01T00:00:00Z.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }
}

/// The text is not an id, which is 26 characters of Crockford's base 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: an id is a ULID of 26 letters and digits")]
pub struct IdError;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// Converts from the ULID's number.
            pub const fn from_number(number: u128) -> Self {
                Self(Ulid(number))
            }

            /// The ULID as a number.
            pub const fn number(self) -> u128 {
                self.0.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Ulid::from_string(text).map(Self).map_err(|_| IdError)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(&self.0)
                } else {
                    self.0.to_bytes().serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
                } else {
                    <[u8; 16]>::deserialize(deserializer).map(|bytes| Self(Ulid::from_bytes(bytes)))
                }
            }
        }
    )*};
}

ids! {
    /// An account.
    UserId;
    /// A login: one family of refresh tokens.
    SessionId;
    /// An API token.
    ApiTokenId;
    /// A webhook.
    WebhookId;
    /// One event for one webhook.
    WebhookDeliveryId;
    /// A stream, live or ended.
    StreamId;
    /// A topic that streams are filed under.
    TopicId;
    /// A message in a stream's chat; within a stream later messages have greater ids.
    MessageId;
    /// A notification to one account; later ones have greater ids.
    NotificationId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_from_text_and_from_bytes() {
        let text = "01KB5VV5A0T3Y6Y0R9WQX3W4NM";
        let id: StreamId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        let bytes = postcard::to_allocvec(&id).unwrap();
        assert_eq!(bytes.len(), 16);
        assert_eq!(postcard::from_bytes::<StreamId>(&bytes).unwrap(), id);
        assert_eq!("../../etc/passwd".parse::<StreamId>(), Err(IdError));
    }
}
