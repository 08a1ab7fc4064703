//! Finding streams: lists in their order and what is matched otherwise ([`query`]), texts ([`matching`]) by an inverted index from
//! words to streams ([`index`]).

pub(crate) mod cursor;
pub(crate) mod index;
mod matching;
pub(crate) mod query;
pub(crate) mod words;
