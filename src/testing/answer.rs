//! `Answer`: what became of an offer.

use std::{error::Error, fmt};

use http::{Response, StatusCode, request};
use tokio::io::DuplexStream;

use super::{
    check::{self, Flaw},
    client::Client,
};
use crate::{refusal::Refusal, upgrade::Pending};

/// What became of a [`TestOffer`](super::TestOffer): the response, and the client's end of the
/// connection if it was switched.
#[derive(Debug)]
#[must_use = "it says whether the connection was switched"]
#[non_exhaustive]
pub struct Answer<B> {
    /// The response as it came, whatever it says.
    pub response: Response<B>,
    /// The client's end of the connection, or why there is none.
    pub client: Result<Client, NotSwitched>,
}

impl<B> Answer<B> {
    pub(super) fn new(
        asked: &request::Parts,
        response: Response<B>,
        io: DuplexStream,
        pending: &Pending,
    ) -> Self {
        let client = match follow(asked, &response, pending) {
            Ok(terms) => Ok(Client::new(io, terms)),
            Err(why) => Err(NotSwitched {
                status: response.status(),
                why,
            }),
        };
        Self { response, client }
    }

    /// Returns the client's end of the connection.
    ///
    /// # Panics
    ///
    /// Panics if the connection was not switched, and says why: the status with the hint of a refusal,
    /// or what in the head no client would follow. See [`NotSwitched`].
    #[must_use]
    #[track_caller]
    pub fn into_client(self) -> Client {
        #[expect(clippy::panic, reason = "this is for tests, and documented")]
        match self.client {
            Ok(client) => client,
            Err(why) => panic!("the connection was not switched: {why}"),
        }
    }

    /// Returns the refusal that the layer answered with.
    ///
    /// # Panics
    ///
    /// Panics if it did not refuse: the connection was switched, or the answer is the service's own.
    #[must_use]
    #[track_caller]
    pub fn refusal(&self) -> &Refusal {
        let refusal = self.response.extensions().get();
        #[expect(clippy::panic, reason = "this is for tests, and documented")]
        match refusal {
            Some(refusal) => refusal,
            None => panic!(
                "the offer was not refused: it was answered {}",
                self.response.status()
            ),
        }
    }
}

/// Goes through all that must hold before a client uses the connection.
fn follow<B>(
    asked: &request::Parts,
    response: &Response<B>,
    pending: &Pending,
) -> Result<super::client::Terms, Why> {
    let status = response.status();
    if !check::is_switched(asked, status) {
        let refusal = response.extensions().get::<Refusal>();
        return Err(refusal.map_or(Why::Otherwise, |refusal| Why::Refused(refusal.clone())));
    }
    if pending.take().is_some() {
        return Err(Why::Flawed(NOT_TAKEN));
    }
    check::check(asked, status, response.headers()).map_err(Why::Flawed)
}

const NOT_TAKEN: Flaw =
    "nothing took the connection: no `UpgradeLayer` let the offer through to this answer";

/// Why there is no client's end of a connection.
///
/// Either the answer does not switch, as that of a refusal, or it does and its head is one that no
/// client would follow. `Connection` must be `upgrade` alone and `Upgrade` name one protocol that was
/// offered ([RFC 9110 section 7.8]); a 2xx to an extended CONNECT must have neither
/// ([RFC 9113 section 8.2.2]). No content may follow, and of a WebSocket `Sec-WebSocket-Accept`,
/// `-Protocol` and `-Extensions` must answer what was offered ([RFC 6455 section 4.1]).
///
/// [RFC 9110 section 7.8]: https://www.rfc-editor.org/rfc/rfc9110.html#section-7.8
/// [RFC 6455 section 4.1]: https://www.rfc-editor.org/rfc/rfc6455.html#section-4.1
/// [RFC 9113 section 8.2.2]: https://www.rfc-editor.org/rfc/rfc9113.html#section-8.2.2
#[derive(Clone, Debug)]
pub struct NotSwitched {
    status: StatusCode,
    why: Why,
}

#[derive(Clone, Debug)]
enum Why {
    Refused(Refusal),
    Otherwise,
    Flawed(Flaw),
}

impl NotSwitched {
    /// Returns the status that was answered.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the refusal, if the layer answered with one.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match &self.why {
            Why::Refused(refusal) => Some(refusal),
            Why::Otherwise | Why::Flawed(_) => None,
        }
    }

    /// Returns whether the status switches the connection, but no client would follow: a bug of a
    /// service, or of middleware around the layer.
    #[must_use]
    pub const fn is_flawed(&self) -> bool {
        matches!(self.why, Why::Flawed(_))
    }
}

impl fmt::Display for NotSwitched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answered {}", self.status)?;
        match &self.why {
            Why::Refused(refusal) => write!(f, ": {refusal}"),
            Why::Otherwise => f.write_str(" by the service"),
            Why::Flawed(flaw) => write!(f, ", which no client would follow: {flaw}"),
        }
    }
}

impl Error for NotSwitched {}
