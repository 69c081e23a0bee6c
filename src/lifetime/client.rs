//! A client's address, as its server or the proxies in front tell it.

use std::net::{IpAddr, SocketAddr};

use crate::head::Head;

/// The address a request's connection came from, in its extensions.
///
/// A server that is not axum's leaves it there, where [`peer_ip`] and, for axum, `axum::client_ip` find it.
///
/// # Examples
///
/// ```
/// use http::Request;
/// use tokio::net::{TcpListener, TcpStream};
/// use tower_upgrade::{Head, PeerAddress, lifetime::peer_ip};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let _client = TcpStream::connect(listener.local_addr()?).await?;
/// let (_tcp, address) = listener.accept().await?;
/// // .. and in every request that is read from it:
/// let mut request = Request::new(());
/// request.extensions_mut().insert(PeerAddress(address));
/// assert_eq!(peer_ip(&Head::from(&request)), Some(address.ip()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddress(pub SocketAddr);

/// A key for [`Limit::per_key`](super::Limit::per_key): the address a connection came from, by
/// [`PeerAddress`].
///
/// It is `None` where the server left none. Behind a proxy it is the proxy's: use [`forwarded_for`].
///
/// # Security
///
/// As with [`forwarded_for`], a client may have more than one address.
///
/// # Examples
///
/// ```
/// use tower_upgrade::{Limit, Policy, UpgradeLayer, WebSocket, lifetime::peer_ip};
///
/// let layer = UpgradeLayer::new(Policy::require(WebSocket::new()))
///     .limit(Limit::per_key(20, peer_ip));
/// # let _ = layer;
/// ```
#[must_use]
pub fn peer_ip(head: &Head<'_>) -> Option<IpAddr> {
    let peer = head.extensions.get::<PeerAddress>()?;
    Some(peer.0.ip())
}

/// Returns a key for [`Limit::per_key`](super::Limit::per_key): the client's address by
/// `X-Forwarded-For`, where so many proxies stand in front.
///
/// Each proxy appends the address it was spoken to from, so with one proxy the last member is the
/// client, with two the one before. Members further left are the client's own words and never
/// looked at. The field is read over all of its lines; a port and the brackets of IPv6 are taken off. The key is
/// `None` if there are fewer members than proxies, or the member is no address, and with 0 proxies.
///
/// # Security
///
/// A client may have more than one address, of IPv6 commonly 2^64: `|head| network(key(head))` with a
/// function of your own can count by networks.
///
/// Say exactly how many proxies there are: one too many and a client can choose its key. Where clients
/// can also come in past the proxies, use the address of the connection, [`peer_ip`].
///
/// # Examples
///
/// ```
/// use http::Request;
/// use tower_upgrade::{Head, lifetime::forwarded_for};
///
/// let request = Request::get("/")
///     .header("x-forwarded-for", "10.0.0.1, 198.51.100.7")
///     .header("x-forwarded-for", "203.0.113.9")
///     .body(())?;
/// let head = Head::from(&request);
/// assert_eq!(forwarded_for(1)(&head), Some([203, 0, 113, 9].into()));
/// assert_eq!(forwarded_for(2)(&head), Some([198, 51, 100, 7].into()));
/// # Ok::<(), http::Error>(())
/// ```
pub fn forwarded_for(
    proxies: usize,
) -> impl Fn(&Head<'_>) -> Option<IpAddr> + Clone + Send + Sync + 'static {
    move |head| {
        // From the right, for what a client wrote stands to the left and may be of any length.
        let lines = head.headers.get_all("x-forwarded-for").iter().rev();
        let members = lines.flat_map(|line| line.as_bytes().rsplit(|octet| *octet == b','));
        let mut members = members.map(<[u8]>::trim_ascii).filter(|m| !m.is_empty());
        address(members.nth(proxies.checked_sub(1)?)?)
    }
}

/// Reads an address as proxies write it: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(member: &[u8]) -> Option<IpAddr> {
    let member = std::str::from_utf8(member).ok()?;
    if let Ok(address) = member.parse() {
        return Some(address);
    }
    if let Ok(address) = member.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    member.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::forwarded_for;
    use crate::head::Head;

    #[track_caller]
    fn reads(lines: &[&str], proxies: usize, expected: Option<&str>) {
        let mut request = Request::get("/");
        for line in lines {
            request = request.header("x-forwarded-for", *line);
        }
        let request = request.body(()).unwrap();
        let read = forwarded_for(proxies)(&Head::from(&request));
        let expected = expected.map(|address| address.parse().unwrap());
        assert_eq!(read, expected, "{lines:?} behind {proxies}");
    }

    #[test]
    fn the_member_that_the_outermost_proxy_of_ours_wrote_is_the_client() {
        reads(&["1.1.1.1, 2.2.2.2"], 1, Some("2.2.2.2"));
        reads(&["1.1.1.1, 2.2.2.2"], 2, Some("1.1.1.1"));
        reads(&["1.1.1.1", "2.2.2.2"], 1, Some("2.2.2.2"));
        reads(&["1.1.1.1", "2.2.2.2, 3.3.3.3"], 3, Some("1.1.1.1"));
        reads(&["1.1.1.1, , 2.2.2.2 ,"], 1, Some("2.2.2.2"));
        reads(&[&"9.9.9.9,".repeat(500), "2.2.2.2"], 1, Some("2.2.2.2"));
    }

    #[test]
    fn without_it_nobody_is_known() {
        reads(&[], 1, None);
        reads(&["1.1.1.1"], 2, None);
        reads(&["1.1.1.1"], 0, None);
        reads(&["unknown"], 1, None);
        reads(&["1.1.1.1, _hidden"], 1, None);
    }

    #[test]
    fn ports_and_brackets_are_taken_off() {
        reads(&["192.0.2.1:8080"], 1, Some("192.0.2.1"));
        reads(&["2001:db8::1"], 1, Some("2001:db8::1"));
        reads(&["[2001:db8::1]"], 1, Some("2001:db8::1"));
        reads(&["[2001:db8::1]:80"], 1, Some("2001:db8::1"));
    }
}
