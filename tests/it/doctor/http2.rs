//! HTTP/2: servers that speak it without extended CONNECT, or refuse one.

use std::convert::Infallible;

use http::{Method, Response, StatusCode};
use http_body_util::Empty;
use hyper::{body::Bytes, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
};

use super::{
    certificates::acceptor,
    run::{Told, doctor},
    server::{HONEST, Server},
};

/// Whether the server allows an extended CONNECT.
#[derive(Clone, Copy, PartialEq)]
enum Connect {
    On,
    Off,
}

/// Asks a server that speaks nothing else, and answers a method so.
async fn ask(connect: Connect, status: fn(&Method) -> u16) -> Told {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((tcp, _)) = listener.accept().await {
            connections.spawn(serve(tcp, connect, status));
        }
    });
    let told = doctor(&[&url, "--http2", "--timeout", "1", "--idle", "0.1"]).await;
    serving.abort();
    told
}

async fn serve<I>(io: I, connect: Connect, status: fn(&Method) -> u16)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut server = http2::Builder::new(TokioExecutor::new());
    if connect == Connect::On {
        server.enable_connect_protocol();
    }
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::from_u16(status(request.method())).unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let _ = server.serve_connection(TokioIo::new(io), service).await;
}

#[tokio::test]
async fn extended_connect_must_be_allowed() {
    let told = ask(Connect::Off, |_| 200).await;
    let expected = [("error", "speaks-http2"), ("error", "http2-connect-off")];
    told.exits(2).finds(0, &expected);
    told.is_mended_by(0, "http2-connect-off", "Apache", "H2WebSockets on");
    let told = ask(Connect::On, |_| 405).await;
    let expected = [
        ("error", "speaks-http2"),
        ("error", "http2-connect-refused"),
    ];
    told.exits(2).finds(0, &expected);
    told.says(0, "http2-connect-refused", "mend", "any(..)");
}

#[tokio::test]
async fn no_426_is_for_http2() {
    let told = ask(
        Connect::On,
        |method| if method == Method::GET { 426 } else { 501 },
    )
    .await;
    let expected = [
        ("error", "speaks-http2"),
        ("warning", "http2-426"),
        ("error", "http2-connect-refused"),
    ];
    told.exits(2).finds(0, &expected);
}

#[tokio::test]
async fn a_server_of_http1_alone_does_not_speak_it() {
    let server = Server::start(HONEST).await;
    let args = [&server.url("ws"), "--idle", "0.1", "--timeout", "2"];
    doctor(&args).await.exits(0).finds(0, &[]);
    let told = doctor(&[&args[..], &["--http2"]].concat()).await;
    told.exits(2).finds(0, &[("error", "http2-not-spoken")]);
}

#[tokio::test]
async fn a_server_of_http2_alone_is_for_few() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = acceptor(vec![made.cert.into()], &made.signing_key, &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "wss://localhost:{}/ws",
        listener.local_addr().unwrap().port()
    );
    let serving = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((tcp, _)) = listener.accept().await {
            if let Ok(io) = tls.accept(tcp).await {
                connections.spawn(serve(io, Connect::On, |_| 403));
            }
        }
    });
    let told = doctor(&[&url]).await;
    let expected = [
        ("error", "certificate-self-signed"),
        ("error", "http1-not-offered"),
        ("error", "http2-connect-refused"),
    ];
    told.exits(2).finds(0, &expected);
    serving.abort();
}
