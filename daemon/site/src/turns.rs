//! Turns for blocking calls: the store and the cameras' drivers are called on threads that may block, a few at a time.

use crate::error::SiteError;
use crate::lists::Lists;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Concurrent calls of the store: reads need the processor, and writes wait for the one card.
const STORE_AT_ONCE: usize = 4;
/// How long a call waits for its turn. If a card or driver stalls for longer, that is an error.
const PATIENCE: Duration = Duration::from_secs(10);

/// The turns of a site; clones are the same.
#[derive(Clone)]
pub struct Turns {
    store: Arc<Semaphore>,
    /// One call of a driver at a time.
    hardware: Arc<Semaphore>,
    lists: Lists,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            store: Arc::new(Semaphore::new(STORE_AT_ONCE)),
            hardware: Arc::new(Semaphore::new(1)),
            lists: Lists::start(),
        }
    }
}

impl Turns {
    /// Runs `work`, which calls the store, on a thread that may block.
    ///
    /// # Errors
    ///
    /// `StoreBusy` without a turn within 10 s, `Unfinished` if `work` panicked.
    pub async fn store<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SiteError> {
        in_turn(&self.store, SiteError::StoreBusy, work).await
    }

    /// Runs `work`, which reads lists of the store that anyone may ask for, after all others on the one thread for that.
    ///
    /// # Errors
    ///
    /// `StoreBusy` where too many wait, and without an answer within 10 s; `Crashed` if `work` panicked.
    pub async fn lists<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SiteError> {
        self.lists.run(work).await
    }

    /// Runs `work`, which calls a camera's driver, on a thread that may block.
    ///
    /// # Errors
    ///
    /// `Busy` without a turn within 10 s, `Unfinished` if `work` panicked.
    pub async fn hardware<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SiteError> {
        in_turn(&self.hardware, SiteError::Busy("another request is using the camera"), work).await
    }
}

async fn in_turn<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    busy: SiteError,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SiteError> {
    let turn = tokio::time::timeout(PATIENCE, turns.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else { return Err(busy) };
    let work = move || {
        // The request may be cancelled; the turn is held until the work is done.
        let _turn = turn;
        work()
    };
    Ok(tokio::task::spawn_blocking(work).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_that_the_card_is_slow() {
        let turns = Arc::new(Turns::default());
        let stalled: Vec<_> = (0..STORE_AT_ONCE)
            .map(|_| {
                let (done, wait) = channel::<()>();
                let turns = turns.clone();
                (done, tokio::spawn(async move { turns.store(move || wait.recv().is_err()).await.is_ok() }))
            })
            .collect();
        tokio::task::yield_now().await;
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move { turns.store(|| ()).await }
        });
        tokio::task::yield_now().await;
        // Paused time does not advance by itself while threads block.
        tokio::time::advance(PATIENCE).await;
        assert!(matches!(waiting.await.unwrap(), Err(SiteError::StoreBusy)));
        // Drivers have turns of their own.
        assert!(turns.hardware(|| ()).await.is_ok());
        for (done, call) in stalled {
            drop(done);
            assert!(call.await.unwrap());
        }
        assert!(turns.store(|| ()).await.is_ok());
    }
}
