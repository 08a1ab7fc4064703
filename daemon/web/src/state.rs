//! State shared by the handlers: the site, and state that only HTTP needs.

use super::config::Network;
use super::last_look::LastLook;
use super::metrics::Metrics;
use super::problem::Problem;
use super::seldom::Seldom;
use bytes::Bytes;
use perch_site::Site;
use perch_site::accounts::Accounts;
use perch_store::{Store, Timestamp};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// State shared by the handlers.
pub(super) struct State {
    pub(super) site: Site,
    pub(super) metrics: Metrics,
    pub(super) started: Duration,
    pub(super) last_look: LastLook,
    /// Who may read `/metrics` besides the owner.
    pub(super) metrics_from: Arc<[Network]>,
    pub(super) cross_site_refusals: Seldom,
    /// The API's document as served; generated on first use.
    pub(super) openapi: LazyLock<Bytes>,
}

/// The form in which a handler takes the state.
pub(super) type Shared = axum::extract::State<Arc<State>>;

impl State {
    pub(super) fn new(
        site: Site,
        metrics: Metrics,
        metrics_from: Arc<[Network]>,
        openapi: fn() -> Bytes,
    ) -> Self {
        Self {
            started: site.clock.monotonic(),
            last_look: LastLook::default(),
            metrics_from,
            cross_site_refusals: Seldom::default(),
            site,
            metrics,
            openapi: LazyLock::new(openapi),
        }
    }

    pub(super) fn accounts(&self) -> &Accounts {
        &self.site.accounts
    }

    /// The wall time, in the store's type.
    pub(super) fn now(&self) -> Timestamp {
        self.site.now()
    }

    /// Runs `work` on the store, on a thread that may block.
    pub(super) async fn store<T, E>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Send + 'static,
        Problem: From<E>,
    {
        let store = self.site.store.clone();
        self.site.turns.store(move || work(&store)).await?.map_err(Problem::from)
    }
}
