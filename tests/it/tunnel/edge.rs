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

use crate::server::serve_on;

/// A tunnel over TCP, as a user builds it.
pub(crate) type Edge = Tunnel<Client<HttpConnector, RequestBody<Incoming>>, Uri>;

/// A tunnel to this server, which is spoken to in this version.
pub(crate) fn tunnel(upstream: SocketAddr, version: Version) -> Edge {
    let mut client = Client::builder(TokioExecutor::new());
    client.http2_only(version == Version::HTTP_2);
    let upstream = Uri::try_from(format!("http://{upstream}")).unwrap();
    Tunnel::new(client.build_http(), upstream).upstream_version(version)
}

/// What is forwarded where a test does not say.
pub(crate) fn policy() -> Policy {
    Policy::offer(Protocol::new("echo/1.0").unwrap())
        .or(Protocol::new("echo/2.0").unwrap())
        .or(WebSocket::new())
}

/// Serves a tunnel behind a layer, over HTTP/1.1 and HTTP/2.
pub(crate) async fn serve(layer: UpgradeLayer, tunnel: Edge) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = layer.layer(tunnel);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            serve_on(tcp, service.clone());
        }
    });
    address
}

/// A proxy in front of `upstream`.
pub(crate) async fn edge(upstream: SocketAddr, version: Version) -> SocketAddr {
    serve(UpgradeLayer::new(policy()), tunnel(upstream, version)).await
}
