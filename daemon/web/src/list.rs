//! Lists, a page at a time (design §4): `?limit=&cursor=`, answered with `{"items": […], "next_cursor": …}`.

use super::problem::Problem;
use serde::Serialize;
use std::str::FromStr;
use utoipa::ToSchema;

/// Items of a page, unless asked otherwise.
const USUAL: usize = 20;
/// Items of a page at most.
const MOST: usize = 100;

/// One page.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    items: Vec<T>,
    /// Asks for the next page; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A page out of `rows`, of which [one more](Asked::and_one) was looked for than a page has. `id` is what the next page goes on from.
    pub(super) fn of<R, I: ToString>(
        mut rows: Vec<R>,
        asked: &Asked<I>,
        id: impl Fn(&R) -> I,
        item: impl FnMut(R) -> T,
    ) -> Self {
        let has_more = rows.len() > asked.limit;
        rows.truncate(asked.limit);
        let next_cursor = rows.last().filter(|_| has_more).map(|last| id(last).to_string());
        Self { items: rows.into_iter().map(item).collect(), next_cursor }
    }

    /// One that is never so long that it needs pages.
    pub(super) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    /// The same page with `first` before it.
    pub(super) fn after(mut self, mut first: Vec<T>) -> Self {
        first.append(&mut self.items);
        Self { items: first, ..self }
    }
}

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked<I> {
    pub(super) limit: usize,
    /// The last item of the page before.
    pub(super) before: Option<I>,
}

impl<I: FromStr> Asked<I> {
    /// From the parameters of a query.
    pub(super) fn new(limit: Option<usize>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::InvalidQuery(format!("limit is 1 to {MOST}")));
        }
        let read = |cursor: &str| {
            let what = "cursor is next_cursor of the page before";
            cursor.parse().map_err(|_| Problem::InvalidQuery(what.to_owned()))
        };
        Ok(Self { limit, before: cursor.map(read).transpose()? })
    }
}

impl<I> Asked<I> {
    /// How many rows to look for, to know whether there is another page.
    pub(super) const fn and_one(&self) -> usize {
        self.limit + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_whether_there_is_another() {
        let asked = Asked::<u32>::new(Some(2), None).unwrap();
        let page = |rows: Vec<u32>| {
            let list = List::of(rows, &asked, |row| *row, |row| row * 10);
            (list.items, list.next_cursor)
        };
        assert_eq!(page(vec![9, 8, 7]), (vec![90, 80], Some("8".to_owned())));
        assert_eq!(page(vec![9, 8]), (vec![90, 80], None));
        assert_eq!(page(vec![]), (vec![], None));
    }

    #[test]
    fn pages_are_bounded() {
        assert_eq!(Asked::<u32>::new(None, Some("7")).unwrap(), Asked { limit: 20, before: Some(7) });
        for (limit, cursor) in [(Some(0), None), (Some(101), None), (None, Some("x"))] {
            assert!(matches!(Asked::<u32>::new(limit, cursor), Err(Problem::InvalidQuery(_))));
        }
    }
}
