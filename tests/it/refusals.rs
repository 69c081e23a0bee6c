//! Every refusal that a client can provoke: its status, its fields, its text, each beside the offer
//! that is accepted and differs in one thing.

mod cases;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Response, StatusCode, Version};
use tower::{Layer, ServiceExt};
use tower_upgrade::Refusal;

use self::cases::{cases, pending};
use crate::echo::Echo;

#[tokio::test]
async fn without_what_spoils_it_each_offer_reaches_the_service() {
    // The twin of all tests below: it is that one thing which is refused.
    for case in cases() {
        let mut request = case.accepted.clone();
        request.extensions_mut().insert(pending());
        let service = case.layer().layer(Echo::default());
        let answer = service.clone().oneshot(request).await.unwrap();
        assert_eq!(
            service.get_ref().calls(),
            1,
            "{}: {:?}",
            case.kind,
            answer.extensions().get::<Refusal>()
        );
    }
}

#[tokio::test]
async fn each_is_told_in_plain_text_with_what_its_status_demands() {
    // The hint is the content, one sentence without a byte of the peer's.
    for case in cases() {
        let answer = case.refuse(None, case.layer()).await;
        let refusal = answer
            .extensions()
            .get::<Refusal>()
            .expect("for outer layers");
        assert_eq!(refusal.kind(), case.kind);
        assert_eq!(refusal.status(), answer.status());
        assert_eq!(answer.status(), case.status, "{}", case.kind);
        assert_eq!(
            answer.headers()["content-type"],
            "text/plain; charset=utf-8"
        );
        assert_eq!(answer.headers()["vary"], "accept");
        assert_eq!(answer.body(), &format!("{}\n", refusal.hint()));
        assert!(
            !refusal.hint().ends_with('.') && !refusal.hint().contains("evil"),
            "{refusal}"
        );
        assert!(!refusal.kind().is_service_fault());
        case.has_fields(answer.headers());
    }
}

#[tokio::test]
async fn none_has_fields_that_its_version_of_http_forbids() {
    // RFC 9113 8.2.2: no Connection, no Upgrade; RFC 9110 15.5.22: every 426 has both.
    for case in cases() {
        let is_http1 = case.spoiled().version() < Version::HTTP_2;
        let answer = case.refuse(None, case.layer()).await;
        let is_426 = answer.status() == StatusCode::UPGRADE_REQUIRED;
        assert!(is_http1 || !is_426, "{}", case.kind);
        for name in ["upgrade", "connection"] {
            assert_eq!(
                answer.headers().contains_key(name),
                is_426,
                "{name} of {}",
                case.kind
            );
        }
    }
}

#[tokio::test]
async fn each_is_told_as_problem_details_to_who_accepts_them() {
    // RFC 9457 3.
    for case in cases() {
        let accept = Some("text/html, application/problem+json;q=0.5");
        let answer = case.refuse(accept, case.layer()).await;
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
        let refusal = answer.extensions().get::<Refusal>().unwrap();
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["status"], case.status);
        assert_eq!(
            problem["title"],
            answer.status().canonical_reason().unwrap()
        );
        assert_eq!(problem["detail"], refusal.hint());
        assert_eq!(problem["kind"], case.kind.as_str());
        case.has_fields(answer.headers());
    }
}

#[tokio::test]
async fn a_response_of_ones_own_gets_what_the_status_demands() {
    // `refuse_with` sees the refusal and the head; mandatory fields are added to what it returns.
    for case in cases() {
        let seen = Arc::new(Mutex::new(None));
        let log = Arc::clone(&seen);
        let layer = case.layer().refuse_with(move |refusal, head| {
            *log.lock().unwrap() = Some((refusal.kind(), head.method.clone(), head.version));
            let own = Response::builder()
                .status(refusal.status())
                .header("x-own", "1");
            own.body(Bytes::from_static(b"own")).unwrap()
        });
        let answer = case.refuse(None, layer).await;
        let spoiled = case.spoiled();
        let expected = (case.kind, spoiled.method().clone(), spoiled.version());
        assert_eq!(seen.lock().unwrap().take(), Some(expected));
        assert_eq!(answer.status(), case.status);
        assert_eq!(answer.headers()["x-own"], "1");
        assert_eq!(answer.body(), "own");
        assert_eq!(
            answer.extensions().get().map(Refusal::kind),
            Some(case.kind)
        );
        case.has_fields(answer.headers());
    }
}

#[tokio::test]
async fn a_response_with_another_status_is_left_as_it_is() {
    // `refuse_with` that chose another status gets no fields of the one it replaced.
    for case in cases() {
        let layer = case.layer().refuse_with(|_, _| {
            let own = Response::builder().status(404);
            own.body(Bytes::from_static(b"no such page")).unwrap()
        });
        let answer = case.refuse(None, layer).await;
        assert_eq!(answer.status(), 404);
        assert!(answer.headers().is_empty(), "{:?}", answer.headers());
        let refusal = answer.extensions().get::<Refusal>().unwrap();
        assert_eq!(refusal.kind(), case.kind, "outer layers still learn why");
    }
}

#[tokio::test]
async fn a_response_that_would_switch_is_given_the_status_of_the_refusal() {
    // Rules 16 and 17 hold for a response of one's own: no 101, and no 2xx to a CONNECT.
    for case in cases() {
        let is_connect = case.spoiled().method() == Method::CONNECT;
        for (status, kept) in [
            (101, false),
            (200, !is_connect),
            (204, !is_connect),
            (302, true),
        ] {
            let layer = case.layer().refuse_with(move |_, _| {
                let own = Response::builder().status(status);
                own.body(Bytes::new()).unwrap()
            });
            let answer = case.refuse(None, layer).await;
            let expected = if kept { status } else { case.status };
            assert_eq!(answer.status(), expected, "{} {status}", case.kind);
        }
    }
}
