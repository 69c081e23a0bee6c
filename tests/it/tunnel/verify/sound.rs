//! What comes with a 101 that is believed.

use super::{Case, accepting};
use crate::tunnel::upstream::switching_with;

/// Fields that are not the hop's are kept, over all their lines.
#[tokio::test]
async fn other_fields_are_kept() {
    let fields = "Set-Cookie: a=1\r\nX-Own: x\r\nSet-Cookie: b=2; Path=/\r\nServer: them";
    let head = Case::echo()
        .succeeds(switching_with("echo/1.0", fields))
        .await;
    assert_eq!(head.lines("set-cookie"), ["a=1", "b=2; Path=/"]);
    head.has("x-own", "x").has("server", "them");
    let websocket = Case::websocket(tower_upgrade::WebSocket::new(), &[]);
    let head = websocket.succeeds(accepting(fields)).await;
    assert_eq!(head.lines("set-cookie"), ["a=1", "b=2; Path=/"]);
}

/// Those of the hop are not, nor those that tell of content.
#[tokio::test]
async fn those_of_the_hop_are_not() {
    let fields = "Content-Length: 5\r\nKeep-Alive: timeout=5\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\
                  Proxy-Authenticate: Basic";
    let head = Case::echo()
        .succeeds(switching_with("echo/1.0", fields))
        .await;
    let mut names = head.names();
    names.sort_unstable();
    assert_eq!(names, ["connection", "upgrade"]);
}
