//! Run-length coding of tables (`stts`, `ctts`, `stsc`): rows are counted or written as they end.

/// Joins consecutive equal values into one row.
#[derive(Debug)]
pub(super) struct Runs<T> {
    current: Option<(u32, T)>,
    /// Rows that have ended, and values in them.
    rows: u32,
    counted: u32,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self { current: None, rows: 0, counted: 0 }
    }
}

impl<T: PartialEq> Runs<T> {
    /// Takes the next value; returns the row that it ends: the number of equal values, and the value.
    pub(super) fn push(&mut self, value: T) -> Option<(u32, T)> {
        match &mut self.current {
            Some((count, current)) if *current == value && *count < u32::MAX => {
                *count += 1;
                None
            }
            current => {
                let ended = current.replace((1, value));
                if let Some((count, _)) = ended {
                    self.rows += 1;
                    self.counted += count;
                }
                ended
            }
        }
    }

    /// All that is left of `values` is in the row that has not ended.
    pub(super) fn fill(&mut self, values: u32) {
        if let Some((count, _)) = &mut self.current {
            *count = values.saturating_sub(self.counted);
        }
    }

    /// The last row, if there is one.
    pub(super) fn finish(&mut self) -> Option<(u32, T)> {
        let ended = self.current.take();
        self.rows += u32::from(ended.is_some());
        ended
    }

    /// Number of rows so far, including the one that has not ended.
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

    #[test]
    fn the_last_row_may_be_filled_without_its_values() {
        let mut runs = Runs::default();
        let first = [3, 3, 5].into_iter().find_map(|value| runs.push(value));
        runs.fill(100);
        assert_eq!((first, runs.finish()), (Some((2, 3)), Some((98, 5))));
        Runs::<u32>::default().fill(100);
    }
}
