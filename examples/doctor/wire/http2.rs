//! A client of HTTP/2, as far as it is needed: a page, and then a stream.

use std::{error::Error as _, io, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{Response, request};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, Connection, SendRequest},
    upgrade,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{task::JoinHandle, time::timeout};

use super::{Fault, Route, Stream, within};

type Driver = Pin<Box<Connection<TokioIo<Stream>, Empty<Bytes>, TokioExecutor>>>;

/// A connection that nobody drives yet, for its driver knows what the server allows.
pub(crate) struct Http2 {
    sender: SendRequest<Empty<Bytes>>,
    driver: Driver,
    patience: Duration,
}

/// Why a page did not come.
pub(crate) enum Missed {
    /// The connection is gone: the peer hardly speaks HTTP/2.
    All(Fault),
    /// The connection lives on.
    Answer(Fault),
}

/// So much of a refusal's content is read.
const LONGEST: usize = 16 << 10;

impl Http2 {
    pub(crate) async fn connect(route: &Route) -> Result<Self, Fault> {
        let io = TokioIo::new(route.http2().await?);
        let handshake = http2::handshake(TokioExecutor::new(), io);
        let handshake = async { handshake.await.map_err(fault) };
        let (sender, connection) = within(route.patience, handshake).await?;
        Ok(Self {
            sender,
            driver: Box::pin(connection),
            patience: route.patience,
        })
    }

    /// Sends the first request. The server's settings come before its answer.
    pub(crate) async fn page(
        &mut self,
        request: request::Builder,
    ) -> Result<Response<Incoming>, Missed> {
        let asking = ask(&mut self.sender, request, self.patience);
        let answer = tokio::select! {
            answer = asking => answer,
            ended = &mut self.driver => {
                let fault = ended.map_or_else(fault, |()| Fault::Closed);
                return Err(Missed::All(fault));
            }
        };
        match answer {
            Ok(answer) => Ok(answer),
            // A bad answer ends its stream; what is no HTTP/2 ends all, if not in the same moment.
            Err(fault) => match timeout(A_MOMENT, &mut self.driver).await {
                Ok(_) => Err(Missed::All(fault)),
                Err(_) => Err(Missed::Answer(fault)),
            },
        }
    }

    /// Returns whether the server allows an extended CONNECT (RFC 8441 3).
    pub(crate) fn allows_connect(&self) -> bool {
        self.driver.is_extended_connect_protocol_enabled()
    }

    /// Goes on, for streams that stay open.
    pub(crate) fn drive(self) -> Streams {
        let driver = self.driver;
        Streams {
            sender: self.sender,
            driving: tokio::spawn(async move { drop(driver.await) }),
            patience: self.patience,
        }
    }
}

const A_MOMENT: Duration = Duration::from_millis(200);

/// A connection whose streams live as long as this is kept.
pub(crate) struct Streams {
    sender: SendRequest<Empty<Bytes>>,
    driving: JoinHandle<()>,
    patience: Duration,
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

impl Streams {
    pub(crate) async fn ask(
        &mut self,
        request: request::Builder,
    ) -> Result<Response<Incoming>, Fault> {
        ask(&mut self.sender, request, self.patience).await
    }

    /// Returns the stream that a CONNECT opened.
    pub(crate) async fn stream(
        &self,
        answer: &mut Response<Incoming>,
    ) -> Result<TokioIo<upgrade::Upgraded>, Fault> {
        let opening = async { upgrade::on(answer).await.map_err(fault) };
        within(self.patience, opening).await.map(TokioIo::new)
    }

    /// Reads the content of an answer, if it is not too long.
    pub(crate) async fn content(&self, body: Incoming) -> Bytes {
        let reading = Limited::new(body, LONGEST).collect();
        match timeout(self.patience, reading).await {
            Ok(Ok(content)) => content.to_bytes(),
            _ => Bytes::new(),
        }
    }
}

async fn ask(
    sender: &mut SendRequest<Empty<Bytes>>,
    request: request::Builder,
    patience: Duration,
) -> Result<Response<Incoming>, Fault> {
    let request = request.body(Empty::new());
    let request = request.map_err(|error| Fault::Io(io::Error::other(error)))?;
    let answer = async { sender.send_request(request).await.map_err(fault) };
    within(patience, answer).await
}

/// Takes an error with its sources, of which the last one says most.
fn fault(error: hyper::Error) -> Fault {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    Fault::Io(io::Error::other(text))
}
