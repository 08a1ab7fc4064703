//! The inverted index: word → streams, with the weight of the field that holds it. Streams are numbered in the order of their
//! creation (ordinals), and a word's streams are stored in blocks of 256 ordinals, so that a common word needs few rows.

use crate::StreamDetails;
use crate::failure::Outcome;
use crate::reads::Reads;
use crate::search::words::words;
use crate::tables::POSTINGS;
use crate::writing::WriteTransaction;
use redb::ReadableTable as _;
use std::collections::BTreeMap;

/// The weight of a word, by the field that holds it.
pub(crate) const TITLE: u8 = 8;
pub(crate) const NAME: u8 = 4;
const DESCRIPTION: u8 = 1;
/// A whole word counts this many times as much as its prefix.
pub(crate) const WHOLE_WORD: u8 = 2;

/// Indexed words of one stream: limits the cost of a long description.
const WORDS_MOST: usize = 512;

const BLOCK: u32 = 256;

/// The words by which a stream is found, each with its best weight.
pub(crate) fn terms(details: &StreamDetails) -> BTreeMap<String, u8> {
    let mut terms = BTreeMap::new();
    for (text, weight) in [(&details.title, TITLE), (&details.description, DESCRIPTION)] {
        for word in words(text) {
            if terms.len() < WORDS_MOST {
                terms.entry(word).or_insert(weight);
            }
        }
    }
    terms
}

/// Updates the index from a stream's old details (`None`: it is new) to its present ones (`None`: it is deleted).
pub(crate) fn reindex(
    tx: &WriteTransaction,
    ordinal: u32,
    before: Option<&StreamDetails>,
    after: Option<&StreamDetails>,
) -> Outcome<()> {
    let before = before.map(terms).unwrap_or_default();
    let after = after.map(terms).unwrap_or_default();
    let mut table = tx.open_table(POSTINGS)?;
    let gone = before.keys().filter(|term| !after.contains_key(*term)).map(|term| (term, None));
    let new =
        after.iter().filter(|(term, weight)| before.get(*term) != Some(weight)).map(|(t, w)| (t, Some(*w)));
    for (term, weight) in gone.chain(new) {
        let key = (term.as_str(), ordinal / BLOCK);
        let mut block = table.get(key)?.map(|block| block.value().to_vec()).unwrap_or_default();
        post(&mut block, (ordinal % BLOCK) as u8, weight);
        if block.is_empty() {
            table.remove(key)?;
        } else {
            table.insert(key, block.as_slice())?;
        }
    }
    Ok(())
}

/// A block is a list of (ordinal in the block, weight), sorted by ordinal.
fn post(block: &mut Vec<u8>, place: u8, weight: Option<u8>) {
    let pairs = block.as_chunks::<2>().0;
    match (pairs.binary_search_by_key(&place, |pair| pair[0]), weight) {
        (Ok(at), Some(weight)) => block[at * 2 + 1] = weight,
        (Ok(at), None) => drop(block.drain(at * 2..at * 2 + 2)),
        (Err(at), Some(weight)) => drop(block.splice(at * 2..at * 2, [place, weight])),
        (Err(_), None) => {}
    }
}

/// Calls `found` with the ordinal and the weight of every stream that has a word beginning with `prefix`, as far as the first `rows`
/// blocks tell.
pub(crate) fn find(
    tx: &impl Reads,
    prefix: &str,
    rows: usize,
    mut found: impl FnMut(u32, u8),
) -> Outcome<()> {
    let table = tx.reading(POSTINGS)?;
    for row in table.range((prefix, 0)..)?.take(rows) {
        let (key, block) = row?;
        let (term, number) = key.value();
        if !term.starts_with(prefix) {
            break;
        }
        let factor = if term.len() == prefix.len() { WHOLE_WORD } else { 1 };
        for &[place, weight] in block.value().as_chunks::<2>().0 {
            found(number * BLOCK + u32::from(place), weight.saturating_mul(factor));
        }
    }
    Ok(())
}

/// The weight a word has for one stream.
pub(crate) fn weight(tx: &impl Reads, term: &str, ordinal: u32) -> Outcome<Option<u8>> {
    let table = tx.reading(POSTINGS)?;
    let block = table.get((term, ordinal / BLOCK))?;
    let place = (ordinal % BLOCK) as u8;
    Ok(block.and_then(|block| {
        let pairs = block.value().as_chunks::<2>().0;
        pairs.binary_search_by_key(&place, |pair| pair[0]).ok().map(|at| pairs[at][1])
    }))
}

/// The number of entries in the index.
pub(crate) fn count(tx: &impl Reads) -> Outcome<usize> {
    let mut count = 0;
    for row in tx.reading(POSTINGS)?.iter()? {
        count += row?.1.value().len() / 2;
    }
    Ok(count)
}
