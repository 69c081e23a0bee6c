//! A service behind the layer that tells what reached it, and what becomes of one request to it.
//!
//! It accepts every offer that is let through, having read its content, and echoes the bytes that
//! come then; it answers every other request with 200 and the content it read.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::io::{DuplexStream, copy, split};
use tower::{Layer, Service};
use tower_upgrade::{
    OnUpgrade, Policies, Upgrade, UpgradeLayer, Upgraded,
    websocket::{ExtensionOffers, MalformedExtensions},
};

use crate::{
    server::{AnyError, serve},
    wire::Client,
};

/// A request as it reached the service.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Bytes,
    /// What the offer selected, if one was let through.
    pub(crate) protocol: Option<String>,
    pub(crate) subprotocol: Option<String>,
    /// The extensions it offers, each as its name and its parameters.
    pub(crate) extensions: Vec<(String, Vec<String>)>,
    /// Whether the server's own handle came with it.
    pub(crate) has_handle: bool,
}

impl Seen {
    /// Returns all lines of a field.
    pub(crate) fn lines(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.get_all(name).iter();
        lines.map(|line| line.to_str().unwrap()).collect()
    }
}

/// The service, with all that reached it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spy(Arc<Mutex<Vec<Seen>>>);

impl Spy {
    /// Serves one connection to it behind a layer, and returns the client's end.
    pub(crate) fn behind(policies: impl Into<Policies>) -> (Client, Self) {
        Self::behind_on(policies, serve)
    }

    /// The same by another server than the usual one.
    pub(crate) fn behind_on(
        policies: impl Into<Policies>,
        serve: impl FnOnce(Upgrade<Self>) -> DuplexStream,
    ) -> (Client, Self) {
        let spy = Self::default();
        let service = UpgradeLayer::new(policies).layer(spy.clone());
        (Client::over(serve(service)), spy)
    }

    /// Returns all that reached it so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    /// Returns the only request that reached it.
    #[track_caller]
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }

    async fn answer(
        self,
        mut request: http::Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, AnyError> {
        let on_upgrade = OnUpgrade::take(&mut request);
        let (head, body) = request.into_parts();
        let content = match &on_upgrade {
            Some(on_upgrade) => on_upgrade.content(body).collect().await?.to_bytes(),
            None => body.collect().await?.to_bytes(),
        };
        let extensions = extensions(&head.headers)?;
        let seen = Seen {
            method: head.method,
            target: head.uri.to_string(),
            version: head.version,
            headers: head.headers,
            content: content.clone(),
            protocol: on_upgrade.as_ref().map(|on| on.protocol().to_string()),
            subprotocol: on_upgrade
                .as_ref()
                .and_then(|on| on.subprotocol().map(str::to_owned)),
            extensions,
            has_handle: head.extensions.get::<hyper::upgrade::OnUpgrade>().is_some(),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(seen);
        Ok(match on_upgrade {
            Some(on_upgrade) => on_upgrade.accept(echo),
            None => Response::new(content.into()),
        })
    }
}

impl Service<http::Request<Incoming>> for Spy {
    type Response = Response<Full<Bytes>>;
    type Error = AnyError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, AnyError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Incoming>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

/// Gives every byte back.
pub(crate) async fn echo(io: Upgraded) {
    let (mut read, mut write) = split(io);
    let _ = copy(&mut read, &mut write).await;
}

fn extensions(headers: &HeaderMap) -> Result<Vec<(String, Vec<String>)>, MalformedExtensions> {
    let param = |param: tower_upgrade::grammar::Param<'_>| match param.value() {
        Some(value) => format!("{}={value}", param.name()),
        None => param.name().to_owned(),
    };
    let offers = ExtensionOffers::from_headers(headers)?;
    let offers = offers.iter();
    Ok(offers
        .map(|offer| (offer.name().to_owned(), offer.params().map(param).collect()))
        .collect())
}
