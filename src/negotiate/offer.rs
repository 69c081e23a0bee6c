//! `Offer`: what a request proposes, read from its head once.

use http::{Method, Version};

use crate::{fields::Fields, grammar::List, head::Head, refusal::RefusalKind};

/// The `:protocol` of an extended CONNECT, as a server that is not hyper leaves it in a request's
/// extensions ([RFC 8441 section 4](https://www.rfc-editor.org/rfc/rfc8441.html#section-4)).
///
/// # Examples
///
/// ```
/// use http::{Request, Version};
/// use tower_upgrade::negotiate::{ConnectProtocol, Form, Offer};
///
/// let request = Request::connect("https://a.example/chat")
///     .version(Version::HTTP_3)
///     .extension(ConnectProtocol::new("websocket"))
///     .body(())?;
/// assert!(matches!(Offer::read(&request).form(), Form::Connect(b"websocket")));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectProtocol(Box<str>);

impl ConnectProtocol {
    /// Returns the value of `:protocol` as the client sent it.
    pub fn new(value: impl Into<Box<str>>) -> Self {
        Self(value.into())
    }

    /// Returns the value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a request proposes for its connection, read from its head once.
#[derive(Debug)]
pub struct Offer<'a> {
    head: Head<'a>,
    form: Form<'a>,
    fields: Fields<'a>,
}

/// The form an offer has.
#[derive(Debug)]
#[non_exhaustive]
pub enum Form<'a> {
    /// Nothing that counts.
    None(Absence),
    /// The members of `Upgrade`, in the client's order; perhaps none (RFC 9110 7.8).
    Upgrade(List<'a>),
    /// The `:protocol` of an extended CONNECT (RFC 8441, RFC 9220).
    Connect(&'a [u8]),
    /// A CONNECT without `:protocol`: a request for a tunnel, which is no offer (RFC 9110 9.3.6).
    Tunnel,
}

impl<'a> Offer<'a> {
    /// Reads the offer of a request; `:protocol` is looked for in a [`ConnectProtocol`].
    #[must_use]
    pub fn read(head: impl Into<Head<'a>>) -> Self {
        let head = head.into();
        let connect = head.extensions.get::<ConnectProtocol>();
        Self::read_with(head, connect.map(ConnectProtocol::as_str))
    }

    /// Reads the offer of a request that came with this `:protocol` (rules 1 to 5).
    pub(crate) fn read_with(head: Head<'a>, connect: Option<&'a str>) -> Self {
        let fields = Fields::read(head.headers);
        let is_connect = *head.method == Method::CONNECT;
        let form = match (head.version, connect) {
            (Version::HTTP_2 | Version::HTTP_3, Some(protocol)) if is_connect => {
                Form::Connect(protocol.as_bytes())
            }
            _ if is_connect => Form::Tunnel,
            (Version::HTTP_11, _) => read_http1(&fields),
            (Version::HTTP_2 | Version::HTTP_3, _) => Form::None(Absence::Multiplexed),
            _ => Form::None(Absence::TooOld),
        };
        Self { head, form, fields }
    }

    /// Returns the head it was read from.
    #[must_use]
    pub const fn head(&self) -> &Head<'a> {
        &self.head
    }

    /// Returns its form.
    #[must_use]
    pub const fn form(&self) -> &Form<'a> {
        &self.form
    }

    /// Returns whether it is an extended CONNECT.
    #[must_use]
    pub const fn is_connect(&self) -> bool {
        matches!(self.form, Form::Connect(_))
    }

    pub(super) const fn fields(&self) -> &Fields<'a> {
        &self.fields
    }
}

fn read_http1<'a>(fields: &Fields<'a>) -> Form<'a> {
    if fields.upgrade.is_none() {
        return Form::None(absent(fields));
    }
    let connection = fields.connection();
    if connection.contains("upgrade") {
        Form::Upgrade(fields.upgrade())
    } else if connection.is_overlong() {
        Form::None(Absence::TooMany)
    } else {
        Form::None(Absence::NotBound)
    }
}

fn absent(fields: &Fields<'_>) -> Absence {
    if fields.key.is_none() && fields.version.is_none() {
        Absence::NoField
    } else {
        Absence::Stripped
    }
}

/// Why a request offers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absence {
    /// It has no `Upgrade` field.
    NoField,
    /// It has none, but fields of a WebSocket handshake: something on the way took it out.
    Stripped,
    /// `Connection` does not name `upgrade`, so `Upgrade` does not count (RFC 9110 7.8).
    NotBound,
    /// HTTP/1.0 knows no `Upgrade`.
    TooOld,
    /// `Connection` has more members than are read.
    TooMany,
    /// It came over HTTP/2 or 3 and is no extended CONNECT.
    Multiplexed,
}

impl Absence {
    /// What a route that requires an upgrade answers.
    pub(crate) const fn refusal(self) -> (RefusalKind, &'static str) {
        match self {
            Self::NoField => (
                RefusalKind::NotOffered,
                "this resource is for upgraded connections: send `Upgrade` and `Connection: upgrade`",
            ),
            Self::Stripped => (
                RefusalKind::NotOffered,
                "the fields of a WebSocket handshake came without `Upgrade`: a proxy in front dropped it \
                 (nginx needs `proxy_http_version 1.1` and `proxy_set_header Upgrade $http_upgrade`), \
                 or an `UpgradeLayer` further out took it",
            ),
            Self::NotBound => (
                RefusalKind::NotConnectionBound,
                "`Connection` has no `upgrade` member: a proxy in front probably dropped it",
            ),
            Self::TooOld => (
                RefusalKind::HttpTooOld,
                "HTTP/1.0 cannot be upgraded: a proxy in front probably speaks it \
                 (older nginx needs `proxy_http_version 1.1`)",
            ),
            Self::TooMany => (
                RefusalKind::TooManyMembers,
                "`Connection` has more members than are read",
            ),
            Self::Multiplexed => (
                RefusalKind::ConnectRequired,
                "over HTTP/2 and HTTP/3 this resource is opened by an extended CONNECT",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Version, request::Parts};

    use super::{Absence, ConnectProtocol, Form, Offer};

    fn head(version: Version, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::get("/").version(version);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[track_caller]
    fn offers(fields: &[(&str, &str)], expected: &[&str]) {
        let head = head(Version::HTTP_11, fields);
        let Form::Upgrade(members) = Offer::read(&head).form else {
            panic!("{fields:?} offers nothing");
        };
        let members: Vec<_> = members
            .iter()
            .map(|m| std::str::from_utf8(m).unwrap())
            .collect();
        assert_eq!(members, expected);
    }

    #[track_caller]
    fn offers_nothing(version: Version, fields: &[(&str, &str)], why: Absence) {
        let head = head(version, fields);
        let Form::None(absence) = Offer::read(&head).form else {
            panic!("{fields:?} offers something");
        };
        assert_eq!(absence, why, "{fields:?}");
    }

    #[test]
    fn an_offer_is_upgrade_named_by_connection() {
        offers(
            &[("upgrade", "websocket"), ("connection", "upgrade")],
            &["websocket"],
        );
        offers(
            &[
                ("upgrade", "a"),
                ("upgrade", "b"),
                ("connection", "x"),
                ("connection", "UPGRADE"),
            ],
            &["a", "b"],
        );
        offers(
            &[("upgrade", "a"), ("connection", "close, , Upgrade")],
            &["a"],
        );
    }

    #[test]
    fn without_either_there_is_none() {
        use Absence::{NoField, NotBound, Stripped, TooMany, TooOld};
        let http11 = Version::HTTP_11;
        offers_nothing(http11, &[], NoField);
        offers_nothing(http11, &[("sec-websocket-key", "x")], Stripped);
        offers_nothing(http11, &[("upgrade", "a")], NotBound);
        offers_nothing(
            http11,
            &[("upgrade", "a"), ("connection", "xupgradey")],
            NotBound,
        );
        offers_nothing(
            http11,
            &[("upgrade", "a"), ("connection", "\"a, upgrade\"")],
            NotBound,
        );
        offers_nothing(
            http11,
            &[("upgrade", "a"), ("connection", &"x,".repeat(200))],
            TooMany,
        );
        let sound = [("upgrade", "a"), ("connection", "upgrade")];
        offers_nothing(Version::HTTP_10, &sound, TooOld);
        offers_nothing(Version::HTTP_2, &sound, Absence::Multiplexed);
    }

    #[test]
    fn a_connect_is_an_offer_only_with_a_protocol() {
        let mut head = head(Version::HTTP_2, &[]);
        head.method = http::Method::CONNECT;
        assert!(matches!(Offer::read(&head).form, Form::Tunnel));
        head.extensions.insert(ConnectProtocol::new("WebSocket"));
        assert!(matches!(
            Offer::read(&head).form,
            Form::Connect(b"WebSocket")
        ));
        head.version = Version::HTTP_11;
        assert!(matches!(Offer::read(&head).form, Form::Tunnel));
    }
}
