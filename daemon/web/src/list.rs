//! Lists in pages (design §4): `?limit=&cursor=`, answered with `{"items": […], "next_cursor": …}`.

use super::problem::Problem;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use utoipa::{IntoParams, ToSchema};

/// Items per page by default.
const USUAL: usize = 20;
/// Items per page at most.
const MOST: usize = 100;

/// One page.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    items: Vec<T>,
    /// Selects the next page; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A page of `rows`, which has [one row more](Asked::and_one) than the page if there is a next page. `id` of the page's last
    /// row becomes the cursor.
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

    /// A list that is never long enough for pages.
    pub(super) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    /// The same page with `first` before it.
    pub(super) fn after(mut self, mut first: Vec<T>) -> Self {
        first.append(&mut self.items);
        Self { items: first, ..self }
    }
}

/// Selects a page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Items per page.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

impl Page {
    pub(super) fn asked<I: FromStr>(&self) -> Result<Asked<I>, Problem> {
        Asked::new(self.limit, self.cursor.as_deref())
    }
}

/// The requested page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked<I> {
    pub(super) limit: usize,
    /// The last item of the previous page.
    pub(super) before: Option<I>,
}

impl<I: FromStr> Asked<I> {
    /// Reads the query's parameters.
    pub(super) fn new(limit: Option<usize>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::InvalidQuery(format!("limit must be from 1 to {MOST}")));
        }
        let read = |cursor: &str| {
            let what = "cursor must be the previous page's next_cursor";
            cursor.parse().map_err(|_| Problem::InvalidQuery(what.to_owned()))
        };
        Ok(Self { limit, before: cursor.map(read).transpose()? })
    }
}

impl<I> Asked<I> {
    /// Number of rows to read to know whether there is another page.
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
