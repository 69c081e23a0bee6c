//! `RequestBody`: the content of a request, as it arrives.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{code, fault::Fault, head, stream::Inlet};

/// The content of a request, read as it is asked for: what nobody asks for stays with the client.
///
/// Dropped before its end, what comes is thrown away for a while, and then the client is asked to send no more.
pub struct RequestBody(Option<Box<Content>>);

struct Content {
    inlet: Inlet,
    /// By `Content-Length`, how much there is still to come.
    announced: Option<u64>,
    max_trailers: usize,
}

impl RequestBody {
    /// That of a CONNECT, which has none.
    pub(crate) const fn empty() -> Self {
        Self(None)
    }

    pub(crate) fn new(inlet: Inlet, announced: Option<u64>, max_trailers: usize) -> Self {
        Self(Some(Box::new(Content {
            inlet,
            announced,
            max_trailers,
        })))
    }
}

impl Content {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let data = match ready!(self.inlet.poll_data(cx)) {
            Ok(Some(data)) => self.count(data.len()).map(|()| Frame::data(data)),
            Ok(None) if self.announced.is_some_and(|left| left > 0) => {
                Err(self.give_up("less than `Content-Length` says"))
            }
            Ok(None) => match self.read_trailers() {
                Some(trailers) => trailers,
                None => return Poll::Ready(None),
            },
            Err(fault) => Err(Failure::Fault(fault)),
        };
        Poll::Ready(Some(data))
    }

    /// RFC 9114 4.1.2: more than was announced makes a request malformed.
    fn count(&mut self, length: usize) -> Result<(), Failure> {
        let Some(left) = self.announced else {
            return Ok(());
        };
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        let Some(left) = left.checked_sub(length) else {
            return Err(self.give_up("more than `Content-Length` says"));
        };
        self.announced = Some(left);
        Ok(())
    }

    /// Reads the trailers, the last that there is.
    fn read_trailers(&mut self) -> Option<Result<Frame<Bytes>, Failure>> {
        let fields = self.inlet.take_trailers()?;
        if head::size(&fields) > self.max_trailers {
            return Some(Err(self.give_up("trailers are too large")));
        }
        let trailers = head::trailers(&fields).map(Frame::trailers);
        Some(trailers.map_err(|_| self.give_up("malformed trailers")))
    }

    /// Wants no more of it, for the request's own fault.
    const fn give_up(&mut self, what: &'static str) -> Failure {
        self.inlet.unwanted(code::MESSAGE_ERROR);
        Failure::Malformed(what)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(content) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let polled = ready!(content.poll(cx));
        if !matches!(polled, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(polled.map(|frame| frame.map_err(BodyError)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            None => SizeHint::with_exact(0),
            Some(content) => content
                .announced
                .map(SizeHint::with_exact)
                .unwrap_or_default(),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

/// Why a request's content could not be read to its end.
#[derive(Debug)]
pub struct BodyError(Failure);

#[derive(Debug)]
enum Failure {
    Fault(Fault),
    Malformed(&'static str),
}

impl BodyError {
    /// Whether the client is at fault, and not only gone.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        matches!(
            self.0,
            Failure::Malformed(_) | Failure::Fault(Fault::Broken(_))
        )
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Failure::Fault(fault) => fault.fmt(f),
            Failure::Malformed(what) => write!(f, "the request is malformed: {what}"),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Failure::Fault(fault) => fault.source(),
            Failure::Malformed(_) => None,
        }
    }
}
