//! An HTTP/2 connection in memory: hyper serves one end, frames are written to and read from the other.

use std::error::Error;

use http_body::Body;
use hyper::server::conn::http2;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    join,
    runtime::{self, Runtime},
};

use crate::{fixtures, http1::Handler, report::Work, span::span};

/// How many streams a connection has; the pieces of work are a multiple of it.
pub const STREAMS: usize = 100;

/// Sends extended CONNECTs, a hundred on each connection, and reads until all have been accepted and ended.
///
/// Measured is the server's whole side and that the client reads. The client writes everything beforehand.
pub fn streams<S, B>(service: S) -> Work
where
    S: Handler<B, Future: Send> + Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let runtime = runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers");
    let opening = opening();
    Box::new(move |pieces| {
        for _ in 0..pieces / STREAMS {
            let (mut client, server) = duplex(256 << 10);
            runtime
                .block_on(client.write_all(&opening))
                .expect("the pipe has room");
            let service = TowerToHyperService::new(service.clone());
            span(|| serve(&runtime, service, server, client));
        }
    })
}

fn serve<S, B>(
    runtime: &Runtime,
    service: TowerToHyperService<S>,
    server: DuplexStream,
    client: DuplexStream,
) where
    S: Handler<B, Future: Send> + Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.enable_connect_protocol();
    let connection = builder.serve_connection(TokioIo::new(server), service);
    let (served, ()) = runtime.block_on(async { join!(connection, read(client)) });
    served.expect("the server has nothing to complain of");
}

/// Reads frames until every stream has been accepted and ended.
async fn read(mut client: DuplexStream) {
    let (mut accepted, mut ended) = (0, 0);
    let mut payload = vec![0; 16 << 10];
    while ended < STREAMS {
        let mut head = [0; 9];
        client
            .read_exact(&mut head)
            .await
            .expect("the server has not left");
        let [a, b, c, kind, flags, ..] = head;
        let payload = &mut payload[..u32::from_be_bytes([0, a, b, c]) as usize];
        client
            .read_exact(payload)
            .await
            .expect("the server has not left");
        // A stream that the server ended before the client is reset with NO_ERROR (RFC 9113 8.1).
        assert!(
            kind != GOAWAY && (kind != RST_STREAM || payload == [0; 4]),
            "no error is sent: {head:?} {payload:?}"
        );
        // Index 8 of HPACK's static table is `:status: 200`.
        accepted += usize::from(kind == HEADERS && payload.first() == Some(&0x88));
        ended += usize::from(matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0);
    }
    assert_eq!(accepted, STREAMS, "every stream was accepted");
}

/// Returns all that the client sends: the preface, its settings, and a request a stream.
fn opening() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut bytes, SETTINGS, 0, 0, &[]);
    frame(&mut bytes, SETTINGS, ACK, 0, &[]);
    let mut block = Vec::new();
    for (name, value) in fixtures::connect() {
        // A literal with a literal name, not to be indexed.
        block.push(0);
        string(&mut block, name);
        string(&mut block, value);
    }
    for stream in (1..).step_by(2).take(STREAMS) {
        frame(&mut bytes, HEADERS, END_HEADERS, stream, &block);
    }
    bytes
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len())
        .expect("a short frame")
        .to_be_bytes();
    bytes.extend_from_slice(&length[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}

fn string(block: &mut Vec<u8>, string: &str) {
    let length = u8::try_from(string.len())
        .ok()
        .filter(|length| *length < 127)
        .expect("a length of one octet");
    block.push(length);
    block.extend_from_slice(string.as_bytes());
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
