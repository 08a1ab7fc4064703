//! One thread for lists and searches of the store, which anyone may ask for, with a lower priority than everything that a live stream
//! needs: however many people search, the stream gets the processor first, and has all the other cores.

use crate::error::SiteError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Requests that wait. A list takes a few milliseconds, so the last of them waits for less than a second, also on a small board.
const WAITING_MOST: usize = 64;
/// How long a request waits. If the card stalls for longer, that is an error.
const PATIENCE: Duration = Duration::from_secs(10);
/// Added to the thread's nice value, which is 0 for all others.
const NICE: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The thread; clones are the same. It ends with the last one.
#[derive(Clone)]
pub(crate) struct Lists {
    jobs: SyncSender<Job>,
}

impl Lists {
    /// Starts the thread.
    pub(crate) fn start() -> Self {
        let (jobs, queue) = sync_channel::<Job>(WAITING_MOST);
        let thread = std::thread::Builder::new().name("lists".to_owned()).spawn(move || {
            // On Linux the value is the thread's own.
            if let Err(error) = rustix::process::nice(NICE) {
                tracing::warn!("lists are read with the priority of everything else: {error}");
            }
            for job in queue {
                // Whoever waits for the answer gets an error; the next request is not affected.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        });
        if let Err(error) = thread {
            // Every request for a list is refused.
            tracing::error!("cannot start the thread for lists: {error}");
        }
        Self { jobs }
    }

    /// Runs `work` on the thread. A request that was cancelled while it waited is left out.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SiteError> {
        let (answer, answered) = oneshot::channel();
        let job = move || {
            if !answer.is_closed() {
                // The request may be cancelled meanwhile.
                let _ = answer.send(work());
            }
        };
        self.jobs.try_send(Box::new(job)).map_err(|_| SiteError::StoreBusy)?;
        match timeout(PATIENCE, answered).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(SiteError::Crashed),
            Err(_) => Err(SiteError::StoreBusy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn requests_are_read_one_after_the_other_at_low_priority() {
        let lists = Lists::start();
        let thread = || std::thread::current().id();
        let first = lists.run(thread).await.unwrap();
        assert_eq!(lists.run(thread).await.unwrap(), first);
        let nice = lists.run(|| rustix::process::getpriority_process(None)).await.unwrap().unwrap();
        assert_eq!(nice, rustix::process::getpriority_process(None).unwrap() + NICE);
    }

    #[tokio::test]
    async fn too_many_are_refused_cancelled_ones_are_not_read_and_a_panic_ends_one_request() {
        let lists = Lists::start();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (begins, begun) = oneshot::channel();
        let held = tokio::spawn({
            let lists = lists.clone();
            async move { lists.run(move || begins.send(()).is_ok() && wait.recv().is_ok()).await }
        });
        // Taken from the queue, so that the whole queue is free.
        begun.await.unwrap();
        let read = Arc::new(AtomicUsize::new(0));
        let mut waiting = Vec::new();
        for _ in 0..2 * WAITING_MOST {
            let (lists, read) = (lists.clone(), read.clone());
            waiting.push(tokio::spawn(async move {
                lists.run(move || read.fetch_add(1, Ordering::Relaxed)).await
            }));
        }
        for _ in 0..2 * WAITING_MOST {
            tokio::task::yield_now().await;
        }
        let refused = waiting.extract_if(.., |request| request.is_finished()).count();
        assert_eq!(refused, WAITING_MOST);
        let left = waiting.len();
        for cancelled in waiting.drain(..left / 2) {
            cancelled.abort();
            let _ = cancelled.await;
        }
        go.send(()).unwrap();
        assert!(held.await.unwrap().unwrap());
        let kept = waiting.len();
        for request in waiting {
            request.await.unwrap().unwrap();
        }
        assert_eq!(read.load(Ordering::Relaxed), kept);
        let crashed: Result<(), _> = lists.run(|| panic!("a fault")).await;
        assert!(matches!(crashed, Err(SiteError::Crashed)), "{crashed:?}");
        assert_eq!(lists.run(|| 5).await.unwrap(), 5);
    }
}
