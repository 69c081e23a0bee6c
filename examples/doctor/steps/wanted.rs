//! What a 426 asks for, if it is not WebSocket.

use std::borrow::Cow;

use crate::wire::Head;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Tls,
    Http2,
    Other,
}

impl Wanted {
    pub(super) fn of(head: &Head) -> Self {
        let members = head.members("upgrade");
        if members.0.iter().any(|member| member.starts_with("TLS/")) {
            return Self::Tls;
        }
        if members.contains("HTTP/2.0") {
            return Self::Http2;
        }
        Self::Other
    }

    pub(super) fn means(self, upgrade: &str) -> Cow<'static, str> {
        match self {
            Self::Tls => "the path is for TLS alone".into(),
            Self::Http2 => "the path is for HTTP/2 alone".into(),
            Self::Other => format!("the path speaks {upgrade}, and no WebSocket").into(),
        }
    }

    pub(super) fn mend(self) -> &'static str {
        match self {
            Self::Tls => "use wss:; behind a proxy that ends TLS, let the server know",
            Self::Http2 => "use wss:, where ALPN chooses HTTP/2, or --http2",
            Self::Other => "check the path",
        }
    }

    pub(super) fn section(self) -> &'static str {
        match self {
            Self::Tls => "RFC 2817 4.2",
            Self::Http2 | Self::Other => "RFC 9110 15.5.22",
        }
    }
}
