//! `Pending` in a service's own hands: a plain CONNECT of a server that is not hyper (rules 5 and 18).

use std::{convert::Infallible, error::Error, io};

use http::{Request, Response, StatusCode, Version};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy, duplex, split},
    sync::oneshot,
};
use tower::{Layer, ServiceExt, service_fn};
use tower_upgrade::{
    OnUpgrade, Pending, Policy, Protocol, Refusal, RefusalKind, ResponseBody, UpgradeError,
    UpgradeLayer,
};

use crate::wire::patiently;

fn echo() -> Protocol {
    Protocol::new("echo/1.0").unwrap()
}

/// A plain CONNECT with this promise of a connection.
fn connect(version: Version, handle: Pending) -> Request<()> {
    let request = Request::connect("b.example:443").version(version);
    request.extension(handle).body(()).unwrap()
}

fn offer(handle: Pending) -> Request<()> {
    Request::get("/")
        .header("connection", "upgrade")
        .header("upgrade", "echo/1.0")
        .extension(handle)
        .body(())
        .unwrap()
}

/// A forward proxy, which echoes in place of another host, if it is given a connection.
async fn proxy(mut request: Request<()>) -> Result<Response<String>, Infallible> {
    assert!(OnUpgrade::take(&mut request).is_none());
    let mut response = Response::default();
    match request.extensions_mut().remove::<Pending>() {
        Some(pending) => {
            tokio::spawn(async move {
                let (mut read, mut write) = split(pending.await.unwrap());
                copy(&mut read, &mut write).await.unwrap();
                write.shutdown().await.unwrap();
            });
        }
        None => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    Ok(response)
}

/// Sends a request through a layer to the proxy.
async fn send(policy: Policy, request: Request<()>) -> Response<ResponseBody<String>> {
    let service = UpgradeLayer::new(policy).layer(service_fn(proxy));
    service.oneshot(request).await.unwrap()
}

/// Sends these bytes and the end of them, and reads all that comes back.
async fn exchange(client: &mut DuplexStream, bytes: &str) -> String {
    patiently("the other end", async {
        client.write_all(bytes.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        read
    })
    .await
}

async fn ends(client: &mut DuplexStream) {
    let read = patiently("the end", client.read(&mut [0])).await;
    assert_eq!(read.unwrap(), 0);
}

#[tokio::test]
async fn a_plain_connect_is_its_services_over_any_server() {
    // Rule 5: "it passes untouched", with what the server left, whatever the policy; as hyper's handle does.
    for policy in [
        Policy::require(echo()),
        Policy::offer(echo()),
        Policy::require(echo()).hand_over_raw(),
        Policy::forbid(),
    ] {
        for version in [Version::HTTP_11, Version::HTTP_2, Version::HTTP_3] {
            let (mut client, server) = duplex(64);
            let request = connect(version, Pending::ready(server));
            let response = send(policy.clone(), request).await;
            assert_eq!(response.status(), 200, "{policy:?}");
            assert_eq!(exchange(&mut client, "tunnelled").await, "tunnelled");
        }
    }
}

#[tokio::test]
async fn what_the_layer_took_no_clone_yields() {
    // Rule 21: a typed error, never a panic, for an outer layer that kept a clone.
    let (mut client, server) = duplex(64);
    let pending = Pending::ready(server);
    let (kept, offer) = (pending.clone(), offer(pending));
    let service = service_fn(async |mut request: Request<()>| {
        let on_upgrade = OnUpgrade::take(&mut request).unwrap();
        Ok::<Response<String>, Infallible>(on_upgrade.accept(|mut io| async move {
            io.write_all(b"the layer's").await.unwrap();
        }))
    });
    let layer = UpgradeLayer::new(Policy::require(echo()));
    let response = layer.layer(service).oneshot(offer).await.unwrap();
    assert_eq!(response.status(), 101);
    is_taken(&kept.await.unwrap_err());
    assert_eq!(exchange(&mut client, "").await, "the layer's");
}

#[track_caller]
fn is_taken(error: &UpgradeError) {
    assert!(error.is_taken() && !error.is_connection(), "{error:?}");
    assert_eq!(error.to_string(), "the connection was already taken");
    assert!(error.source().is_none());
}

#[tokio::test]
async fn of_clones_one_yields_the_connection() {
    // Whichever is awaited first.
    let (mut client, server) = duplex(64);
    let first = Pending::ready(server);
    let second = first.clone();
    let mut io = first.await.unwrap();
    is_taken(&second.clone().await.unwrap_err());
    is_taken(&second.await.unwrap_err());
    io.write_all(b"once").await.unwrap();
    drop(io);
    assert_eq!(exchange(&mut client, "").await, "once");
}

#[tokio::test]
async fn it_waits_for_the_server_and_says_what_it_failed_with() {
    // The server hands over behind its answer, or it says why it does not.
    for is_lost in [false, true] {
        let (give, given) = oneshot::channel::<io::Result<DuplexStream>>();
        let waiting = tokio::spawn(Pending::new(async { given.await.unwrap() }).into_future());
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let (mut client, server) = duplex(64);
        let connection = if is_lost {
            Err(io::Error::other("lost it"))
        } else {
            Ok(server)
        };
        assert!(give.send(connection).is_ok());
        let yielded = patiently("what it yields", waiting).await.unwrap();
        if is_lost {
            let error = yielded.unwrap_err();
            assert!(error.is_connection() && !error.is_taken(), "{error:?}");
            assert_eq!(error.source().unwrap().to_string(), "lost it");
        } else {
            yielded.unwrap().write_all(b"late").await.unwrap();
            assert_eq!(exchange(&mut client, "").await, "late");
        }
    }
}

#[tokio::test]
async fn to_drop_its_future_is_to_drop_the_connection() {
    // "It takes the connection at once", so that no clone can have it later.
    let (mut client, server) = duplex(64);
    let pending = Pending::ready(server);
    let kept = pending.clone();
    drop(pending.into_future());
    ends(&mut client).await;
    is_taken(&kept.await.unwrap_err());
}

#[tokio::test]
async fn handed_over_raw_is_hypers_handle_alone() {
    // "A `Pending` counts as none": refused where an upgrade is required, or else taken out.
    let raw = Policy::require(echo()).hand_over_raw();
    let (mut client, server) = duplex(64);
    let response = send(raw, offer(Pending::ready(server))).await;
    assert_eq!(response.status(), 501);
    let refusal = response.extensions().get::<Refusal>().unwrap();
    assert_eq!(refusal.kind(), RefusalKind::NotUpgradable);
    assert!(refusal.hint().contains("hyper's own"), "{refusal:?}");
    ends(&mut client).await;

    let raw = Policy::offer(echo()).hand_over_raw();
    let (mut client, server) = duplex(64);
    let response = send(raw, offer(Pending::ready(server))).await;
    assert_eq!(response.status(), 404);
    ends(&mut client).await;
}
