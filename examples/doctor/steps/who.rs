//! Who answers: told by the complaint about a request that is none, which no proxy forwards.

use crate::{
    proxy::Proxy,
    wire::{Fault, Head, Route},
};

/// Returns the program that listens, if it is a known proxy.
pub(crate) async fn who(route: &Route) -> Option<Proxy> {
    let (head, content) = complain(route).await.ok()?;
    Proxy::complaining(&head, &content)
}

async fn complain(route: &Route) -> Result<(Head, Vec<u8>), Fault> {
    let mut conversation = route.http1().await?;
    // `=` is not of a method.
    let host = route.target.authority();
    let nonsense = format!("G=T / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    conversation.send(nonsense.as_bytes()).await?;
    let head = conversation.head().await?;
    let content = conversation.content(&head).await;
    Ok((head, content))
}
