//! A proxy of ours in front of something.

use std::net::SocketAddr;

use http::{Uri, Version};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower::Layer;
use tower_upgrade::{
    Policy, Protocol, UpgradeLayer, WebSocket,
    tunnel::{RequestBody, Tunnel},
};

use crate::server::{Content, Served, serve_on};

/// A tunnel over TCP, as a user builds it.
pub(crate) type Edge = Tunnel<Client<HttpConnector, RequestBody<Incoming>>, Uri>;

/// A tunnel to this server, which is spoken to in this version.
pub(crate) fn tunnel(upstream: SocketAddr, version: Version) -> Edge {
    tunnel_to(uri(upstream), version)
}

/// The same to whatever this says.
pub(crate) fn tunnel_to(upstream: Uri, version: Version) -> Edge {
    let mut client = Client::builder(TokioExecutor::new());
    client.http2_only(version == Version::HTTP_2);
    Tunnel::new(client.build_http(), upstream).upstream_version(version)
}

pub(crate) fn uri(upstream: SocketAddr) -> Uri {
    Uri::try_from(format!("http://{upstream}")).unwrap()
}

pub(crate) fn protocol(name: &str) -> Protocol {
    Protocol::new(name).unwrap()
}

/// What is forwarded where a test does not say.
pub(crate) fn policy() -> Policy {
    Policy::offer(protocol("echo/1.0"))
        .or(protocol("echo/2.0"))
        .or(WebSocket::new())
}

pub(crate) fn layer() -> UpgradeLayer {
    UpgradeLayer::new(policy())
}

/// Serves over HTTP/1.1 and HTTP/2.
pub(crate) async fn listen<S, B>(service: S) -> SocketAddr
where
    S: Served<B>,
    B: Content,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            serve_on(tcp, service.clone());
        }
    });
    address
}

/// Serves a tunnel behind a layer.
pub(crate) async fn serve(layer: UpgradeLayer, tunnel: Edge) -> SocketAddr {
    listen(layer.layer(tunnel)).await
}

/// A proxy in front of `upstream`.
pub(crate) async fn edge(upstream: SocketAddr, version: Version) -> SocketAddr {
    serve(layer(), tunnel(upstream, version)).await
}
