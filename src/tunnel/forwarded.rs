//! `Forwarded`: what the upstream is told of the client (RFC 7239).

use std::{fmt, net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{grammar::is_token, head::Head};

/// What a [`Tunnel`](super::Tunnel) tells the upstream of the client: its address, the host it asked for
/// and whether it came by TLS.
///
/// Unless a constructor says otherwise, what the client itself says of it, `Forwarded`, every `X-Forwarded-*`
/// and `X-Real-IP`, is taken off: an upstream that trusts its proxy must not be told by
/// somebody else.
///
/// # Examples
///
/// ```
/// use tower_upgrade::{lifetime::peer_ip, tunnel::Forwarded};
///
/// // with axum, `axum::client_ip` of this crate
/// let forwarded = Forwarded::x_forwarded(peer_ip).is_tls(|_| true);
/// # let _ = forwarded;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Forwarded {
    form: Form,
    is_tls: Option<Arc<IsTls>>,
    appends: bool,
}

type Address = dyn Fn(&Head<'_>) -> Option<IpAddr> + Send + Sync;
type IsTls = dyn Fn(&Head<'_>) -> bool + Send + Sync;

#[derive(Clone)]
enum Form {
    Strip,
    Pass,
    XForwarded(Arc<Address>),
    Rfc7239(Arc<Address>),
}

impl Forwarded {
    const fn new(form: Form) -> Self {
        Self {
            form,
            is_tls: None,
            appends: false,
        }
    }

    /// Tells nothing. This is what a tunnel does by itself.
    pub const fn strip() -> Self {
        Self::new(Form::Strip)
    }

    /// Passes on what the request says.
    ///
    /// # Security
    ///
    /// Only behind a proxy that writes these fields on every request; otherwise the client does.
    pub const fn pass() -> Self {
        Self::new(Form::Pass)
    }

    /// Tells by `X-Forwarded-For`, `X-Forwarded-Host` and, after [`is_tls`](Self::is_tls),
    /// `X-Forwarded-Proto`. `address` finds the client's, in what the server left in the extensions.
    pub fn x_forwarded<F>(address: F) -> Self
    where
        F: Fn(&Head<'_>) -> Option<IpAddr> + Send + Sync + 'static,
    {
        Self::new(Form::XForwarded(Arc::new(address)))
    }

    /// Tells by `Forwarded` ([RFC 7239](https://www.rfc-editor.org/rfc/rfc7239.html)): `for`, `host` and,
    /// after [`is_tls`](Self::is_tls), `proto`. An unknown address is `unknown`.
    pub fn rfc7239<F>(address: F) -> Self
    where
        F: Fn(&Head<'_>) -> Option<IpAddr> + Send + Sync + 'static,
    {
        Self::new(Form::Rfc7239(Arc::new(address)))
    }

    /// Tells the scheme too, which only the server knows.
    pub fn is_tls<F>(mut self, is_tls: F) -> Self
    where
        F: Fn(&Head<'_>) -> bool + Send + Sync + 'static,
    {
        self.is_tls = Some(Arc::new(is_tls));
        self
    }

    /// Appends to what the request says already, as between two proxies of one's own. It changes what is
    /// written, and so nothing where nothing is.
    ///
    /// # Security
    ///
    /// As for [`pass`](Self::pass).
    pub const fn append(mut self) -> Self {
        self.appends = true;
        self
    }

    /// What there is to tell of a request, as it came in.
    pub(super) fn read(&self, head: &Head<'_>) -> Told {
        let address = match &self.form {
            Form::Strip | Form::Pass => None,
            Form::XForwarded(address) | Form::Rfc7239(address) => address(head),
        };
        let proto = self.is_tls.as_ref().map(|is_tls| {
            let is_tls = is_tls(head);
            if is_tls { "https" } else { "http" }
        });
        Told { address, proto }
    }

    /// Writes the fields for the upstream.
    pub(super) fn write(&self, told: &Told, host: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if matches!(self.form, Form::Pass) {
            return;
        }
        let is_told = matches!(self.form, Form::XForwarded(_) | Form::Rfc7239(_));
        if !(self.appends && is_told) {
            strip(headers);
        }
        match &self.form {
            Form::Strip | Form::Pass => {}
            Form::XForwarded(_) => told.x_forwarded(host, headers),
            Form::Rfc7239(_) => told.rfc7239(host, headers),
        }
    }
}

/// What is told of one client.
#[derive(Debug)]
pub(super) struct Told {
    address: Option<IpAddr>,
    proto: Option<&'static str>,
}

impl Told {
    fn x_forwarded(&self, host: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let address = self.address.map(|address| address.to_string());
        if let Some(Ok(address)) = address.map(HeaderValue::try_from) {
            headers.append(X_FORWARDED_FOR, address);
        }
        // Of these the first proxy knows better.
        if let Some(host) = host {
            let told = headers.entry(X_FORWARDED_HOST);
            told.or_insert_with(|| host.clone());
        }
        if let Some(proto) = self.proto {
            let proto = HeaderValue::from_static(proto);
            headers.entry(X_FORWARDED_PROTO).or_insert(proto);
        }
    }

    fn rfc7239(&self, host: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let mut element = match self.address {
            Some(IpAddr::V4(address)) => format!("for={address}"),
            Some(IpAddr::V6(address)) => format!("for=\"[{address}]\""),
            None => "for=unknown".to_owned(),
        };
        // A host has no octet that would need an escape.
        if let Some(Ok(host)) = host.map(HeaderValue::to_str) {
            let quote = if is_token(host.as_bytes()) { "" } else { "\"" };
            element.push_str(&format!(";host={quote}{host}{quote}"));
        }
        if let Some(proto) = self.proto {
            element.push_str(&format!(";proto={proto}"));
        }
        if let Ok(element) = HeaderValue::try_from(element) {
            headers.append(header::FORWARDED, element);
        }
    }
}

impl Default for Forwarded {
    fn default() -> Self {
        Self::strip()
    }
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match &self.form {
            Form::Strip => "strip",
            Form::Pass => "pass",
            Form::XForwarded(_) => "x-forwarded",
            Form::Rfc7239(_) => "rfc7239",
        };
        f.debug_struct("Forwarded")
            .field("form", &form)
            .field("is_tls", &self.is_tls.is_some())
            .field("appends", &self.appends)
            .finish()
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Takes off what upstreams believe of a client.
fn strip(headers: &mut HeaderMap) {
    let claims: Vec<_> = headers
        .keys()
        .filter(|name| is_claim(name))
        .cloned()
        .collect();
    for name in claims {
        headers.remove(name);
    }
}

/// Some servers take `_` for `-`, so that both are the same field to them.
fn is_claim(name: &HeaderName) -> bool {
    let mut name = name
        .as_str()
        .bytes()
        .map(|b| if b == b'_' { b'-' } else { b });
    let is = |text: &str| name.clone().eq(text.bytes());
    if is("forwarded") || is("x-real-ip") || is("x-forwarded") {
        return true;
    }
    "x-forwarded-".bytes().all(|byte| name.next() == Some(byte))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::{HeaderMap, HeaderValue, Request};

    use super::Forwarded;
    use crate::head::Head;

    #[track_caller]
    fn writes(forwarded: Forwarded, before: &[(&'static str, &'static str)], expected: &[&str]) {
        let mut request = Request::get("/");
        for (name, value) in before {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let mut headers: HeaderMap = request.headers().clone();
        let host = HeaderValue::from_static("a.example:80");
        let told = forwarded.read(&Head::from(&request));
        forwarded.write(&told, Some(&host), &mut headers);
        let mut written: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        written.sort();
        assert_eq!(written, expected);
    }

    fn address(text: &'static str) -> impl Fn(&Head<'_>) -> Option<IpAddr> {
        move |_| text.parse().ok()
    }

    const CLAIMS: [(&str, &str); 6] = [
        ("forwarded", "for=6.6.6.6"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-real-ip", "6.6.6.6"),
        ("x-forwarded-ssl", "on"),
        ("x_forwarded_for", "6.6.6.6"),
        ("x-forwarded", "for=6.6.6.6"),
    ];

    #[test]
    fn what_a_client_claims_is_taken_off_unless_it_is_trusted() {
        writes(Forwarded::strip(), &CLAIMS, &[]);
        writes(Forwarded::strip().append(), &CLAIMS, &[]);
        writes(
            Forwarded::pass(),
            &CLAIMS[..3],
            &[
                "forwarded: for=6.6.6.6",
                "x-forwarded-for: 6.6.6.6",
                "x-real-ip: 6.6.6.6",
            ],
        );
        writes(
            Forwarded::x_forwarded(address("1.1.1.1")),
            &CLAIMS,
            &["x-forwarded-for: 1.1.1.1", "x-forwarded-host: a.example:80"],
        );
    }

    #[test]
    fn proxies_of_ones_own_append() {
        let before = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-host", "first.example"),
            ("x-forwarded-proto", "https"),
        ];
        writes(
            Forwarded::x_forwarded(address("2.2.2.2"))
                .is_tls(|_| false)
                .append(),
            &before,
            &[
                "x-forwarded-for: 1.1.1.1",
                "x-forwarded-for: 2.2.2.2",
                "x-forwarded-host: first.example",
                "x-forwarded-proto: https",
            ],
        );
    }

    #[test]
    fn the_standard_field_is_quoted_where_it_must_be() {
        writes(
            Forwarded::rfc7239(address("2001:db8::1")).is_tls(|_| true),
            &CLAIMS,
            &[r#"forwarded: for="[2001:db8::1]";host="a.example:80";proto=https"#],
        );
        writes(
            Forwarded::rfc7239(address("nobody")),
            &[],
            &[r#"forwarded: for=unknown;host="a.example:80""#],
        );
    }
}
