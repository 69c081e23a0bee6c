//! Subprotocols and extensions: RFC 6455 4.2.1 items 8 and 9, 4.2.2 items 4 and 5 (rule 11).

use http::{Response, StatusCode, header::SEC_WEBSOCKET_EXTENSIONS};
use http_body_util::{Empty, Full};
use tower::{Layer, service_fn};
use tower_upgrade::{
    OnUpgrade, Policy, UpgradeLayer, WebSocket,
    testing::TestOffer,
    websocket::{ExtensionOffers, MalformedExtensions},
};

use crate::{
    outcome::{refuses, switches},
    server::AnyError,
    spy::echo,
    wire::Request,
};

type Offer = http::Request<Full<bytes::Bytes>>;

const SUBPROTOCOL: &str = "sec-websocket-protocol";
const EXTENSIONS: &str = "sec-websocket-extensions";

fn versions() -> WebSocket {
    WebSocket::new().subprotocols(["v2", "v1"])
}

fn offering(subprotocols: &str) -> Request {
    Request::websocket("/").set("Sec-WebSocket-Protocol", subprotocols)
}

/// The handshake is answered with this subprotocol, or with none; the service is told the same.
async fn selects(options: WebSocket, request: &Request, expected: Option<&str>) {
    let (head, seen) = switches(Policy::require(options), request, "websocket").await;
    assert_eq!(head.only(SUBPROTOCOL), expected, "{request:?}");
    assert_eq!(seen.subprotocol.as_deref(), expected, "{request:?}");
}

async fn refused(options: WebSocket, request: &Request, hint: &str) {
    for policy in [
        Policy::require(options.clone()),
        Policy::offer(options.clone()),
    ] {
        let refusal = refuses(policy, request, 400).await;
        refusal.head.lacks("upgrade").lacks(SUBPROTOCOL);
        assert!(refusal.content.contains(hint), "{request:?}: {refusal:?}");
    }
}

#[tokio::test]
async fn the_first_of_ours_that_the_client_offers_is_selected() {
    // 4.2.2 item 4: "by selecting one of the values from the |Sec-WebSocket-Protocol| field that the
    // server is willing to use for this connection".
    selects(versions(), &offering("v1, v2"), Some("v2")).await;
    selects(versions(), &offering("v2, v1"), Some("v2")).await;
    selects(versions(), &offering("foo, v1"), Some("v1")).await;
    let lines = offering("v1").add("Sec-WebSocket-Protocol", "foo,, v2");
    selects(versions(), &lines, Some("v2")).await;
}

#[tokio::test]
async fn without_one_in_common_none_is_sent() {
    // 4.2.2 item 4: "if the server does not wish to agree to one of the suggested subprotocols, it
    // MUST NOT send back a |Sec-WebSocket-Protocol| header field in its response".
    selects(versions(), &Request::websocket("/"), None).await;
    selects(versions(), &offering("foo"), None).await;
    selects(versions(), &offering("V2, v10, v"), None).await;
    selects(versions(), &offering(""), None).await;
    selects(WebSocket::new(), &offering("v2"), None).await;
}

#[tokio::test]
async fn a_required_subprotocol_must_be_in_common() {
    // Rule 11: "none in common → none is sent, unless `require_subprotocol()` → 400."
    let required = versions().require_subprotocol();
    selects(required.clone(), &offering("foo, v1"), Some("v1")).await;
    for request in [Request::websocket("/"), offering("foo"), offering("V1")] {
        refused(required.clone(), &request, "one is required").await;
    }
}

#[tokio::test]
async fn offered_subprotocols_are_unique_tokens() {
    // 4.1 item 10: "The elements that comprise this value MUST be non-empty strings with characters
    // in the range U+0021 to U+007E not including separator characters [..] and MUST all be unique
    // strings."
    selects(versions(), &offering("v1, V1, x"), Some("v1")).await;
    for twice in ["v1, v1", "v1, x, v1", "x, x"] {
        refused(versions(), &offering(twice), "twice").await;
        refused(WebSocket::new(), &offering(twice), "twice").await;
    }
    let lines = offering("v1").add("Sec-WebSocket-Protocol", "v1");
    refused(versions(), &lines, "twice").await;
    for text in ["v1 v2", "v1;x", "\"v1\"", "v(1)", "v1, \u{e9}", "v/1"] {
        refused(versions(), &offering(text), "tokens").await;
    }
}

#[tokio::test]
async fn offered_extensions_reach_the_service_as_values() {
    // 9.1: "extension = extension-token *( ";" extension-param )", over all lines.
    let line = "permessage-deflate; client_max_window_bits; server_max_window_bits=\"10\", x-a";
    let request = Request::websocket("/").add("Sec-WebSocket-Extensions", line);
    let request = request.add("Sec-WebSocket-Extensions", "x-b;c=d");
    let (_, seen) = switches(Policy::require(WebSocket::new()), &request, "websocket").await;
    let deflate = ["client_max_window_bits", "server_max_window_bits=10"];
    let expected = [
        (
            "permessage-deflate".to_owned(),
            deflate.map(str::to_owned).to_vec(),
        ),
        ("x-a".to_owned(), vec![]),
        ("x-b".to_owned(), vec!["c=d".to_owned()]),
    ];
    assert_eq!(seen.extensions, expected);
}

#[tokio::test]
async fn no_extension_is_invented() {
    // 4.2.2 item 5.6: "Optionally, a |Sec-WebSocket-Extensions| header field": the layer speaks none.
    let request = Request::websocket("/").add("Sec-WebSocket-Extensions", "permessage-deflate");
    let (head, _) = switches(Policy::require(WebSocket::new()), &request, "websocket").await;
    head.lacks(EXTENSIONS);
    let (_, seen) = switches(
        Policy::require(WebSocket::new()),
        &Request::websocket("/"),
        "websocket",
    )
    .await;
    assert!(seen.extensions.is_empty());
}

#[tokio::test]
async fn an_extension_that_the_service_selects_is_sent() {
    // 4.2.2 item 5.6: "containing the value /extensions/ as defined in step 4".
    let service = service_fn(async |mut request: Offer| {
        let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
        let mut response: Response<Empty<bytes::Bytes>> = on_upgrade.accept(echo);
        let deflate = http::HeaderValue::from_static("permessage-deflate");
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_EXTENSIONS, deflate);
        Ok::<_, AnyError>(response)
    });
    let layer = UpgradeLayer::new(Policy::require(WebSocket::new()));
    let offer = TestOffer::websocket("/").insert_header(EXTENSIONS, "permessage-deflate");
    let answer = offer.send(layer.layer(service)).await.unwrap();
    let sent = answer.response.headers().get_all(EXTENSIONS).iter();
    assert!(sent.eq(["permessage-deflate"].iter()));
    let _ = answer.into_client();
}

#[tokio::test]
async fn offered_extensions_are_checked_where_they_are_asked_for() {
    // 9.1: "When using the quoted-string syntax variant, the value after quoted-string unescaping
    // MUST conform to the 'token' ABNF." Most handlers never ask.
    let asks = service_fn(async |mut request: Offer| {
        let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
        let mut response: Response<Empty<bytes::Bytes>> = Response::default();
        match ExtensionOffers::from_headers(request.headers()) {
            Ok(_) => response = on_upgrade.accept(echo),
            Err(MalformedExtensions) => *response.status_mut() = StatusCode::BAD_REQUEST,
        }
        Ok::<_, AnyError>(response)
    });
    let never_asks = service_fn(async |mut request: Offer| {
        let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
        Ok::<Response<Empty<bytes::Bytes>>, AnyError>(on_upgrade.accept(echo))
    });
    let layer = UpgradeLayer::new(Policy::require(WebSocket::new()));
    for (text, status) in [
        ("a; b=\"c\"", 101),
        ("a;b;b", 101),
        ("", 101),
        (",a,", 101),
        ("a b", 400),
        ("a; b=\"c d\"", 400),
        ("a; b=", 400),
        ("a; =c", 400),
        ("\"a\"", 400),
        ("a; b=\"c", 400),
    ] {
        let offer = TestOffer::websocket("/").insert_header(EXTENSIONS, text);
        let answer = offer.clone().send(layer.layer(asks)).await.unwrap();
        assert_eq!(answer.response.status(), status, "{text}");
        assert_eq!(answer.client.is_ok(), status == 101, "{text}");
        let answer = offer.send(layer.layer(never_asks)).await.unwrap();
        assert!(!answer.response.headers().contains_key(EXTENSIONS));
        let _ = answer.into_client();
    }
}
