//! Finding streams: an inverted index from words to streams ([`index`]), which [`query`] joins with the streams' facts.

pub(crate) mod index;
pub(crate) mod query;
pub(crate) mod words;
