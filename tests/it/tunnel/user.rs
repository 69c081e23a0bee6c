//! What a user builds with the types, and what the types promise.

use std::{convert::Infallible, fmt::Debug, time::Duration};

use axum::{Router, body::Body, routing::get};
use http::{Request, Uri, Version};
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt};
use tower_upgrade::tunnel::{
    Forwarded, OriginalHost, RequestBody, Tunnel, TunnelError, TunnelErrorKind, TunnelFuture,
    Upstream,
};

use super::{
    edge::{Edge, layer, tunnel, uri},
    ends::{accepting, expect, join_by},
    memory,
};
use crate::{
    server::gallery,
    sockets::Opener,
    wire::{Client, Request as WireRequest},
};

fn axum_client() -> HyperClient<HttpConnector, RequestBody<Body>> {
    HyperClient::builder(TokioExecutor::new()).build_http()
}

/// Behind a router, for all that it has no route for: by `axum::serve`, over HTTP/1.1 and HTTP/2.
#[tokio::test]
async fn an_axum_app_forwards_what_it_has_no_route_for() {
    let tunnel = Tunnel::new(axum_client(), uri(gallery().await)).via("edge");
    let app: Router = Router::new()
        .route("/own", get("own"))
        .fallback_service(layer().layer(tunnel));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut client = Client::connect(address).await;
    let own = client.ask(&WireRequest::get("/own")).await;
    assert_eq!(own.content, "own");
    own.head.lacks("via");
    let forwarded = client.ask(&WireRequest::get("/either")).await;
    assert_eq!(forwarded.content, "plain");
    forwarded.head.has("via", "1.1 edge");
    for opener in Opener::both(address).await {
        let mut socket = opener.open("/ws").await;
        socket.echoes().await;
        socket.close().await;
    }
}

/// One route, by a layer of the route and by a nested service.
#[tokio::test]
async fn an_axum_route_may_be_a_tunnel() {
    let (upstream, mut accepted) = accepting().await;
    let tunnel = Tunnel::new(axum_client(), uri(upstream));
    let app: Router = Router::new()
        .route_service("/", layer().layer(tunnel.clone()))
        .nest_service("/below", layer().layer(tunnel));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut joined = join_by(address, version, &mut accepted).await;
        tokio::io::AsyncWriteExt::write_all(&mut joined.client, b"ping")
            .await
            .unwrap();
        expect(&mut joined.upstream, "ping").await;
    }
    let mut client = Client::connect(address).await;
    let offer = WireRequest::upgrade("/below/x", "echo/1.0");
    client.offer(&offer).await.is(101);
}

/// Without a layer there are no offers: the request passes without one, and nothing is joined.
#[tokio::test]
async fn without_a_layer_nothing_is_offered() {
    let upstream = super::upstream::Upstream::new().await;
    let bare = tunnel(upstream.address(), Version::HTTP_11);
    let edge = super::edge::listen(bare).await;
    let mut client = Client::connect(edge).await;
    client.send(WireRequest::websocket("/").to_bytes()).await;
    let (mut peer, asked) = upstream.asked().await;
    asked.lacks("upgrade").lacks("connection");
    peer.answer("plain").await;
    assert_eq!(client.response().await.content, "plain");
    client.send(WireRequest::websocket("/").to_bytes()).await;
    peer.asked().await;
    peer.send(super::upstream::switching("websocket")).await;
    client.response().await.head.is(502);
}

/// Around the layer and inside of it, services of tower's go together with a tunnel.
#[tokio::test]
async fn it_goes_with_other_middleware() {
    let (upstream, mut accepted) = accepting().await;
    let client = tower::ServiceBuilder::new()
        .concurrency_limit(8)
        .service(tunnel(upstream, Version::HTTP_11).get_ref().clone());
    let tunnel = Tunnel::new(client, uri(upstream));
    let service = tower::ServiceBuilder::new()
        .timeout(Duration::from_secs(60))
        .layer(layer())
        .service(tunnel);
    let edge = super::edge::listen(service).await;
    for _ in 0..3 {
        let mut joined = join_by(edge, Version::HTTP_11, &mut accepted).await;
        tokio::io::AsyncWriteExt::write_all(&mut joined.client, b"ping")
            .await
            .unwrap();
        expect(&mut joined.upstream, "ping").await;
    }
}

fn is_shared<T: Send + Sync + Unpin + 'static>() {}
fn is_value<T: Clone + Debug + Send + Sync + 'static>() {}

#[test]
fn the_types_are_what_a_user_expects() {
    is_value::<Edge>();
    is_value::<Forwarded>();
    is_value::<OriginalHost>();
    is_value::<TunnelError>();
    is_value::<TunnelErrorKind>();
    is_shared::<TunnelError>();
    is_shared::<RequestBody<hyper::body::Incoming>>();
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_error::<TunnelError>();
    fn is_future<T: Future + Send + Debug + 'static>() {}
    is_future::<TunnelFuture<hyper_util::client::legacy::ResponseFuture>>();
    fn is_body<T: http_body::Body + Debug>() {}
    is_body::<RequestBody<Body>>();
    fn is_upstream<T: Upstream>() {}
    is_upstream::<Uri>();
    is_upstream::<fn(&tower_upgrade::Head<'_>) -> Option<Uri>>();
    fn serves<S>()
    where
        S: Service<Request<Body>, Error = Infallible, Future: Send> + Clone + Send + Sync,
    {
    }
    serves::<Tunnel<HyperClient<HttpConnector, RequestBody<Body>>, Uri>>();
}

/// `Debug` shows how it is set up, and no client's secrets.
#[tokio::test]
async fn debug_says_what_is_set() {
    let tunnel = tunnel("127.0.0.1:9".parse().unwrap(), Version::HTTP_2)
        .timeout(Duration::from_secs(7))
        .via("edge")
        .forwarded(Forwarded::pass());
    let shown = format!("{tunnel:?}");
    for part in ["127.0.0.1:9", "HTTP/2.0", "7s", "edge", "pass"] {
        assert!(shown.contains(part), "{shown}");
    }
}

/// A version that no upstream is spoken to in is a mistake that shows at once.
#[test]
fn a_version_is_one_that_can_be_spoken() {
    let client = || tower::service_fn(|(): ()| std::future::ready(Ok::<_, Infallible>(())));
    for version in [Version::HTTP_09, Version::HTTP_10, Version::HTTP_3] {
        let set = || drop(memory::tunnel(client()).upstream_version(version));
        assert!(std::panic::catch_unwind(set).is_err(), "{version:?}");
    }
    for version in [Version::HTTP_11, Version::HTTP_2] {
        drop(memory::tunnel(client()).upstream_version(version));
    }
}

/// The host that was asked for is with the request to an HTTP/2 upstream, for a client that can use it.
#[tokio::test]
async fn the_original_host_is_in_the_extensions() {
    for (version, expected) in [
        (Version::HTTP_2, Some("a.example")),
        (Version::HTTP_11, None),
    ] {
        let client = tower::service_fn(async |request: Request<RequestBody<memory::Body>>| {
            let host = request.extensions().get::<OriginalHost>();
            let host = host.map(|host| host.get().to_str().unwrap().to_owned());
            let mut answer = http::Response::new(memory::Body::default());
            answer.extensions_mut().insert(host);
            Ok::<_, Infallible>(answer)
        });
        let tunnel = memory::tunnel(client).upstream_version(version);
        let request = Request::get("/").header("host", "a.example");
        let request = request.body(memory::Body::default()).unwrap();
        let answer = tunnel.oneshot(request).await.unwrap();
        let host = answer.extensions().get::<Option<String>>().unwrap();
        assert_eq!(host.as_deref(), expected);
    }
}
