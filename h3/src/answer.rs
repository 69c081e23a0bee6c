//! Sending a response.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    time::SystemTime,
};

use bytes::{Buf, Bytes};
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_LENGTH, DATE},
};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};

use crate::{fault::Fault, head, stream::Outlet};

/// The response did not go out to its end: the client left, or the body failed.
pub(crate) struct Cut;

impl From<Fault> for Cut {
    fn from(_: Fault) -> Self {
        Self
    }
}

/// Makes a response one that HTTP/3 has: it knows no 101, and says how long a body is if it is known.
pub(crate) fn fit<B: Body>(mut response: Response<B>, method: &Method) -> Response<B> {
    if response.status().is_informational() {
        // A bug in the service. Sent, it would be no answer, and none would follow.
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response.headers_mut().clear();
        response.headers_mut().insert(DATE, now());
    }
    if response.status() == StatusCode::NO_CONTENT {
        // RFC 9110 8.6.
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    let is_bodiless = matches!(response.status().as_u16(), 204 | 304);
    if let Some(length) = response.body().size_hint().exact() {
        let says_nothing = length == 0 && *method == Method::HEAD;
        if !is_bodiless && !says_nothing && !response.headers().contains_key(CONTENT_LENGTH) {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
    }
    response
}

/// Sends a response with its body and its trailers, as fast as the client takes it.
pub(crate) async fn send<B: Body>(
    outlet: &Outlet,
    response: Response<B>,
    method: &Method,
) -> Result<(), Cut> {
    let head = head::response(&response);
    let is_bare = *method == Method::HEAD || matches!(response.status().as_u16(), 204 | 304);
    if is_bare || response.body().is_end_stream() {
        return Ok(outlet.bare_head(head)?);
    }
    outlet.head(head)?;
    send_body(outlet, pin!(response.into_body())).await?;
    Ok(outlet.finish()?)
}

async fn send_body<B: Body>(outlet: &Outlet, mut body: Pin<&mut B>) -> Result<(), Cut> {
    while let Some(next) = next(body.as_mut()).await? {
        match next.into_data() {
            Ok(mut data) => send_data(outlet, data.copy_to_bytes(data.remaining())).await?,
            Err(other) => {
                if let Ok(trailers) = other.into_trailers() {
                    return Ok(outlet.trailers(head::trailing(&trailers))?);
                }
            }
        }
    }
    Ok(())
}

async fn next<B: Body>(mut body: Pin<&mut B>) -> Result<Option<Frame<B::Data>>, Cut> {
    body.frame().await.transpose().map_err(|_| Cut)
}

async fn send_data(outlet: &Outlet, mut data: Bytes) -> Result<(), Cut> {
    while !data.is_empty() {
        let taken = poll_fn(|cx| outlet.poll_write(cx, &data)).await?;
        data.advance(taken);
    }
    Ok(())
}

/// Sends the head of a response behind which the tunnel begins.
pub(crate) fn open<B>(outlet: &Outlet, mut response: Response<B>) -> Result<(), Cut> {
    // RFC 9110 9.3.6.
    response.headers_mut().remove(CONTENT_LENGTH);
    Ok(outlet.head(head::response(&response))?)
}

/// Sends a response that is nothing but its status.
pub(crate) async fn empty(outlet: &Outlet, status: StatusCode) -> Result<(), Cut> {
    let mut response = Response::new(Empty::<Bytes>::new());
    *response.status_mut() = status;
    response.headers_mut().insert(DATE, now());
    send(outlet, fit(response, &Method::GET), &Method::GET).await
}

/// The time as `Date` has it.
pub(crate) fn now() -> HeaderValue {
    let date = httpdate::fmt_http_date(SystemTime::now());
    HeaderValue::try_from(date).unwrap_or_else(|_| HeaderValue::from_static(""))
}
