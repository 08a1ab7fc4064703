//! Tables that say equal things once (`stts`, `ctts`, `stsc`): rows are counted, or written, as they end.

/// Puts equal values that follow each other into one row.
#[derive(Debug)]
pub(super) struct Runs<T> {
    current: Option<(u32, T)>,
    /// Rows that have ended.
    rows: u32,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self { current: None, rows: 0 }
    }
}

impl<T: PartialEq> Runs<T> {
    /// Takes the next value; gives the row that it ends: how often the value came, and the value.
    pub(super) fn push(&mut self, value: T) -> Option<(u32, T)> {
        match &mut self.current {
            Some((count, current)) if *current == value && *count < u32::MAX => {
                *count += 1;
                None
            }
            current => {
                let ended = current.replace((1, value));
                self.rows += u32::from(ended.is_some());
                ended
            }
        }
    }

    /// The last row, if there is one.
    pub(super) fn finish(&mut self) -> Option<(u32, T)> {
        let ended = self.current.take();
        self.rows += u32::from(ended.is_some());
        ended
    }

    /// Rows so far, the one that has not ended included.
    pub(super) fn rows(&self) -> u32 {
        self.rows + u32::from(self.current.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_row() {
        let mut runs = Runs::default();
        let mut rows: Vec<_> = [3, 3, 3, 5, 3].into_iter().filter_map(|value| runs.push(value)).collect();
        assert_eq!(runs.rows(), 3);
        rows.extend(runs.finish());
        rows.extend(runs.finish());
        assert_eq!((rows, runs.rows()), (vec![(3, 3), (1, 5), (1, 3)], 3));
    }
}
