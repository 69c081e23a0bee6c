//! `--behind`: servers that answer as a hop in front of the next would, and which of them is to blame.

use super::{
    run::{Told, doctor, run},
    server::{After, HONEST, Lie, Server},
};

/// Asks the first, with the rest behind it.
async fn chain(lies: &[Lie]) -> Told {
    let mut servers = Vec::new();
    for lie in lies {
        servers.push(Server::start(*lie).await);
    }
    let mut urls = servers.iter().map(|server| server.url("http"));
    let mut args = vec![urls.next().unwrap()];
    args.extend(urls.flat_map(|url| ["--behind".into(), url]));
    args.extend(["--idle", "0.1", "--timeout", "1"].map(String::from));
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    doctor(&args).await
}

/// Answers every offer so, and a GET as an honest server does.
const fn offers(tells: fn(String) -> String) -> Lie {
    Lie { tells, ..HONEST }
}

/// What stands in front of a handler that says why, as this crate's layer does.
macro_rules! refusal {
    ($status:literal, $kind:literal) => {
        offers(|answer| {
            if !answer.contains(" 101 ") {
                return answer;
            }
            let body = concat!(r#"{"detail":"because","kind":""#, $kind, r#""}"#);
            let fields = "Content-Type: application/problem+json\r\nServer: nginx/1.0";
            let length = body.len();
            format!(
                "HTTP/1.1 {}\r\n{fields}\r\nContent-Length: {length}\r\n\r\n{body}",
                $status
            )
        })
    };
}

#[tokio::test]
async fn hops_that_are_honest_are_not_blamed() {
    let told = chain(&[HONEST, HONEST, HONEST]).await;
    told.exits(0).blames(&[]);
    for hop in 0..3 {
        told.finds(hop, &[]);
    }
}

#[tokio::test]
async fn the_first_hop_that_does_worse_than_the_next_is_to_blame() {
    let dropping = refusal!("426 Upgrade Required", "not-offered");
    for (lies, hop) in [
        (&[dropping, HONEST][..], 0),
        (&[dropping, dropping, HONEST], 1),
        (&[dropping, HONEST, HONEST], 0),
    ] {
        let told = chain(lies).await;
        told.exits(2).blames(&[(hop, "proxy-drops-upgrade")]);
        let line = "proxy_set_header Upgrade $http_upgrade;";
        told.is_mended_by(hop, "proxy-drops-upgrade", "nginx", line);
        told.is_mended_in(hop, "proxy-drops-upgrade", &["nginx"]);
    }
    // Nobody in front of it can help if the server itself is as bad.
    let told = chain(&[dropping, dropping]).await;
    told.exits(2).blames(&[(1, "upgrade-dropped")]);
}

#[tokio::test]
async fn a_hint_names_the_cause() {
    for (lie, id) in [
        (
            refusal!("426 Upgrade Required", "http-too-old"),
            "proxy-speaks-http10",
        ),
        (
            refusal!("426 Upgrade Required", "not-connection-bound"),
            "proxy-drops-connection",
        ),
        (refusal!("403 Forbidden", "origin"), "proxy-rewrites-host"),
        (refusal!("404 Not Found", "other"), "proxy-changes-path"),
        (refusal!("502 Bad Gateway", "other"), "proxy-misses-server"),
        (refusal!("302 Found", "other"), "proxy-redirects"),
        (refusal!("401 Unauthorized", "other"), "proxy-refuses"),
        (refusal!("200 OK", "other"), "proxy-drops-upgrade"),
    ] {
        chain(&[lie, HONEST]).await.exits(2).blames(&[(0, id)]);
        chain(&[HONEST, HONEST]).await.blames(&[]);
    }
}

#[tokio::test]
async fn what_differs_behind_a_101() {
    let stale = Lie::telling(|answer| answer.replace("Accept: ", "Accept: s3"));
    chain(&[stale, HONEST])
        .await
        .exits(2)
        .blames(&[(0, "proxy-changes-accept")]);
    let chatty = Lie::telling(|answer| {
        answer.replace(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: keep-alive, Upgrade",
        )
    });
    let told = chain(&[chatty, HONEST]).await;
    told.exits(1).blames(&[]);
    told.finds(
        0,
        &[
            ("warning", "connection-not-exact"),
            ("note", "proxy-changes-head"),
        ],
    );
    told.says(
        0,
        "proxy-changes-head",
        "saw",
        "keep-alive, Upgrade here, upgrade behind",
    );
    let deaf = Lie::then(After::Nothing);
    chain(&[deaf, HONEST])
        .await
        .exits(2)
        .blames(&[(0, "proxy-loses-frames")]);
    let hasty = Lie::then(After::FramesButTheFirst);
    let told = chain(&[hasty, HONEST]).await;
    told.exits(0).finds(
        0,
        &[
            ("note", "early-bytes-lost"),
            ("note", "proxy-loses-early-bytes"),
        ],
    );
}

#[tokio::test]
async fn a_hop_that_is_not_there() {
    let edge = Server::start(HONEST).await;
    let bad = Server::start(refusal!("502 Bad Gateway", "other")).await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = format!("http://{}/ws", socket.local_addr().unwrap());
    let args = ["--behind", &closed, "--idle", "0.1"];
    // From here it may be out of reach by intent.
    let told = doctor(&[&[edge.url("ws").as_str()], &args[..]].concat()).await;
    told.exits(1)
        .finds(1, &[("warning", "connection-refused")])
        .blames(&[]);
    let told = doctor(&[&[bad.url("ws").as_str()], &args[..]].concat()).await;
    told.exits(2).blames(&[(1, "connection-refused")]);
    told.finds(1, &[("error", "connection-refused")]);
}

#[tokio::test]
async fn a_server_that_wants_what_its_proxy_adds_is_no_fault() {
    let told = chain(&[HONEST, refusal!("403 Forbidden", "other")]).await;
    told.exits(1)
        .blames(&[])
        .finds(0, &[("note", "proxy-helps")]);
    told.finds(1, &[("warning", "forbidden")]);
}

#[tokio::test]
async fn the_table_names_the_hop_and_the_line() {
    let edge = Server::start(refusal!("426 Upgrade Required", "not-offered")).await;
    let server = Server::start(HONEST).await;
    let (edge, behind) = (edge.url("ws"), server.url("http"));
    let ran = run(&[&edge, "--behind", &behind, "--idle", "0"], &[]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    for part in [
        &format!("hop 0  {edge}  (nginx)\n"),
        &format!("hop 1  {behind}\n"),
        "\nerror     proxy-drops-upgrade         426 here, 101 behind\n",
        "\n          nginx    proxy_http_version 1.1;\n",
        &format!("\nbroken by hop 0, {edge}, which is nginx: proxy-drops-upgrade\n"),
        "\nbroken: 2 errors, 0 warnings, 0 notes\n",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in {}", ran.stdout);
    }
}
