//! The reasons there are, each with its status.

use std::fmt;

use http::StatusCode;

/// The reason of a [`Refusal`](super::Refusal).
///
/// The first group is the client's doing or that of a proxy on the way; those for which
/// [`is_service_fault`](Self::is_service_fault) holds are bugs of the service behind the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The route requires an upgrade and the request has no `Upgrade` field. 426.
    NotOffered,
    /// There is an `Upgrade` field, but `Connection` does not name it. 426.
    NotConnectionBound,
    /// The request came in HTTP/1.0, where `Upgrade` has no meaning. 426.
    HttpTooOld,
    /// `Upgrade` names no protocol that the route speaks. 426.
    NotSpoken,
    /// `Upgrade` or `Connection` has more members than are read. 426.
    TooManyMembers,
    /// On HTTP/2 and 3 the route wants an extended CONNECT. 405.
    ConnectRequired,
    /// `:protocol` names none that the route speaks. 501.
    ConnectNotSpoken,
    /// The offered protocol is not begun with this method. 405.
    MethodNotAllowed,
    /// There is not exactly one valid `Host`. 400.
    Host,
    /// There is not exactly one `Sec-WebSocket-Version: 13`. 426, or 400 on HTTP/2 and 3.
    WebSocketVersion,
    /// There is not exactly one valid `Sec-WebSocket-Key`. 400.
    WebSocketKey,
    /// `Origin` is not allowed by the policy. 403.
    Origin,
    /// `Sec-WebSocket-Protocol` is not a list of unique tokens. 400.
    MalformedSubprotocols,
    /// The client offered none of the subprotocols, of which the route requires one. 400.
    SubprotocolRequired,
    /// A handler wants to know the extensions offered, and they do not follow their grammar. 400.
    MalformedExtensions,
    /// The offer has content, which its protocol does not allow. 400.
    ContentNotAllowed,
    /// The offer has more content than its protocol allows. 413.
    ContentTooLarge,
    /// `Content-Length` is not one number. 400.
    ContentLength,
    /// The route is for TLS connections only. 426, or 403 on HTTP/2 and 3.
    TlsRequired,
    /// The route is for a newer version of HTTP. 426, or 505 on HTTP/2.
    HttpVersionRequired,
    /// The connection cannot be handed over by the server. 501.
    NotUpgradable,
    /// The server is about to end and begins nothing new. 503.
    Draining,
    /// As many connections are open as there may be. 503.
    TotalLimit,
    /// As many connections are open for this client as there may be. 429.
    KeyLimit,
    /// The service answered 101 to a request that was not accepted. 500.
    UnexpectedSwitch,
    /// The service answered 101 and named another protocol than the one selected. 500.
    OtherProtocol,
    /// The service accepted without having read the offer's content as it came. 500.
    ContentUnread,
    /// The service accepted, but dropped the [`OnUpgrade`](crate::OnUpgrade) or never took it. 500.
    Abandoned,
    /// The service answered 2xx to an extended CONNECT without accepting it. 501.
    TunnelNotAccepted,
    /// A handler asked for an upgrade where none was negotiated. 500, or 501 for a plain CONNECT.
    NotNegotiated,
}

impl RefusalKind {
    /// Returns the status a refusal of this kind has on HTTP/1.1.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotOffered
            | Self::NotConnectionBound
            | Self::HttpTooOld
            | Self::NotSpoken
            | Self::TooManyMembers
            | Self::WebSocketVersion
            | Self::TlsRequired
            | Self::HttpVersionRequired => StatusCode::UPGRADE_REQUIRED,
            Self::ConnectRequired | Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::ConnectNotSpoken | Self::NotUpgradable | Self::TunnelNotAccepted => {
                StatusCode::NOT_IMPLEMENTED
            }
            Self::Host
            | Self::WebSocketKey
            | Self::MalformedSubprotocols
            | Self::SubprotocolRequired
            | Self::MalformedExtensions
            | Self::ContentNotAllowed
            | Self::ContentLength => StatusCode::BAD_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Draining | Self::TotalLimit => StatusCode::SERVICE_UNAVAILABLE,
            Self::KeyLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnexpectedSwitch
            | Self::OtherProtocol
            | Self::ContentUnread
            | Self::Abandoned
            | Self::NotNegotiated => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns a name in lower case with hyphens, fit for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotOffered => "not-offered",
            Self::NotConnectionBound => "not-connection-bound",
            Self::HttpTooOld => "http-too-old",
            Self::NotSpoken => "not-spoken",
            Self::TooManyMembers => "too-many-members",
            Self::ConnectRequired => "connect-required",
            Self::ConnectNotSpoken => "connect-not-spoken",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Host => "host",
            Self::WebSocketVersion => "websocket-version",
            Self::WebSocketKey => "websocket-key",
            Self::Origin => "origin",
            Self::MalformedSubprotocols => "malformed-subprotocols",
            Self::SubprotocolRequired => "subprotocol-required",
            Self::MalformedExtensions => "malformed-extensions",
            Self::ContentNotAllowed => "content-not-allowed",
            Self::ContentTooLarge => "content-too-large",
            Self::ContentLength => "content-length",
            Self::TlsRequired => "tls-required",
            Self::HttpVersionRequired => "http-version-required",
            Self::NotUpgradable => "not-upgradable",
            Self::Draining => "draining",
            Self::TotalLimit => "total-limit",
            Self::KeyLimit => "key-limit",
            Self::UnexpectedSwitch => "unexpected-switch",
            Self::OtherProtocol => "other-protocol",
            Self::ContentUnread => "content-unread",
            Self::Abandoned => "abandoned",
            Self::TunnelNotAccepted => "tunnel-not-accepted",
            Self::NotNegotiated => "not-negotiated",
        }
    }

    /// Returns whether the service behind the layer is at fault, not the client.
    #[must_use]
    pub const fn is_service_fault(self) -> bool {
        matches!(
            self,
            Self::UnexpectedSwitch
                | Self::OtherProtocol
                | Self::ContentUnread
                | Self::Abandoned
                | Self::TunnelNotAccepted
                | Self::NotNegotiated
        )
    }
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
