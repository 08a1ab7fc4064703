//! The API's addresses: the handlers, and apart from them what describes each. The document is made when somebody asks for it: to make it at
//! each start took twice the instructions of everything before it, and half a megabyte of the program stayed in memory for it.

use super::state::State;
use axum::Router;
use axum::routing::MethodRouter;
use std::sync::Arc;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// The handlers of one address and what describes them; made by `routes!`.
pub(super) struct Address {
    pub(super) path: String,
    pub(super) handlers: MethodRouter<Arc<State>>,
    pub(super) described: fn() -> UtoipaMethodRouter<Arc<State>>,
}

/// Addresses with their handlers.
#[derive(Default)]
pub(super) struct Api {
    router: Router<Arc<State>>,
    described: Vec<fn() -> UtoipaMethodRouter<Arc<State>>>,
}

impl Api {
    /// No address yet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds an address.
    pub(super) fn routes(mut self, address: Address) -> Self {
        self.router = self.router.route(&address.path, address.handlers);
        self.described.push(address.described);
        self
    }

    /// Adds all addresses of `other`.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.described.extend(other.described);
        self
    }

    /// The handlers alone.
    pub(super) fn into_router(self) -> Router<Arc<State>> {
        self.router
    }

    /// What the descriptions say.
    pub(super) fn into_document(self) -> utoipa::openapi::OpenApi {
        let described = self.described.into_iter();
        described.fold(OpenApiRouter::new(), |all, described| all.routes(described())).into_openapi()
    }
}

/// An [`Address`] of handlers with the attribute `utoipa::path`, which all name the same path.
macro_rules! routes {
    ($first:ident $(, $handler:ident)*) => {{
        use utoipa_axum::PathItemExt as _;
        let path = utoipa_axum::routes!(@path [path()] of $first);
        let mut handlers = axum::routing::MethodRouter::new();
        for method in utoipa_axum::routes!(@path [methods()] of $first) {
            handlers = handlers.on(method.to_method_filter(), $first);
        }
        $(for method in utoipa_axum::routes!(@path [methods()] of $handler) {
            handlers = handlers.on(method.to_method_filter(), $handler);
        })*
        $crate::api::Address { path, handlers, described: || utoipa_axum::routes!($first $(, $handler)*) }
    }};
}

pub(super) use routes;
