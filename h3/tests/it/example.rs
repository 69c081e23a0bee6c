//! `examples/http3.rs`: one app on one port number of TCP and of UDP.

use std::{future::pending, sync::Arc};

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tower_upgrade::UpgradeLayer;
use tower_upgrade_h3::Server;

use crate::{
    client::{self, Client},
    http3::{Certificate, app, bind, serve_tcp, tls},
    server::Site,
    soon,
};

async fn start() -> Site {
    let certificate = Certificate::new().unwrap();
    let tls = tls(&certificate).unwrap();
    let (tcp, udp) = bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let app = app(UpgradeLayer::new).unwrap();
    let site = Site {
        address,
        certificate: CertificateDer::from_pem_file(&certificate.chain).unwrap(),
    };
    let server = Server::new(udp, &certificate.chain, &certificate.key);
    tokio::spawn({
        let app = app.clone();
        async move {
            let served = server.serve(app).await;
            drop(certificate);
            served
        }
    });
    tokio::spawn(serve_tcp(tcp, tls, app, address.port(), pending()));
    site
}

#[tokio::test]
async fn http_1_tells_where_http_3_is_and_there_it_is() {
    let site = start().await;
    let mut config = client::tls(&site);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let tcp = TcpStream::connect(site.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut io = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    io.write_all(request).await.unwrap();
    let mut answer = String::new();
    soon(io.read_to_string(&mut answer)).await.unwrap();
    let service = format!("\r\nalt-svc: h3=\":{}\"; ma=86400\r\n", site.address.port());
    assert!(answer.contains(&service), "{answer}");
    assert!(answer.ends_with("This came by HTTP/1.1.\n"), "{answer}");

    let client = Client::connect(&site).await;
    let mut page = client.get("/").await;
    let head = page.answer().await;
    assert_eq!((&*head.status, head.field("alt-svc")), ("200", None));
    assert!(page.read_to_end().await.unwrap().ends_with(b"HTTP/3.0.\n"));
    let mut upper = client.tunnel("/multi", "echo/2.0").await;
    upper.write(b"loud").await;
    assert_eq!(upper.read_exact(4).await, b"LOUD");
    client.tunnel("/ws", "websocket").await;
}
