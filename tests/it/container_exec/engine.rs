//! A client of the Docker Engine API that writes its own bytes.

use std::{net::SocketAddr, path::Path};

use serde_json::{Value, json};

use crate::{
    process::Server,
    wire::{Client, Request, Response, patiently},
};

pub(super) const STDOUT: u8 = 1;
pub(super) const STDERR: u8 = 2;

/// The example, and how to ask it.
pub(super) struct Engine {
    pub(super) server: Server,
}

impl Engine {
    pub(super) async fn start(args: &[&str]) -> Self {
        let server = Server::container_exec(args).await;
        Self { server }
    }

    pub(super) fn address(&self) -> SocketAddr {
        let base = self.server.http("");
        base.trim_start_matches("http://").parse().unwrap()
    }

    /// A connection of its own.
    pub(super) async fn client(&self) -> Client {
        Client::connect(self.address()).await
    }

    pub(super) async fn ask(&self, request: &Request) -> Response {
        self.client().await.ask(request).await
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let answer = self.ask(&Request::get(path)).await;
        answer.head.is(200);
        serde_json::from_str(&answer.content).unwrap()
    }

    pub(super) async fn ask_to_create(&self, container: &str, asked: &Value) -> Response {
        let path = format!("/containers/{container}/exec");
        self.ask(&posted(&path, asked)).await
    }

    /// Creates an exec, and returns its name.
    pub(super) async fn create(&self, asked: Value) -> String {
        self.create_at("", asked).await
    }

    pub(super) async fn create_at(&self, version: &str, asked: Value) -> String {
        let path = format!("{version}/containers/demo/exec");
        let answer = self.ask(&posted(&path, &asked)).await;
        answer.head.is(201);
        let told: Value = serde_json::from_str(&answer.content).unwrap();
        told["Id"].as_str().unwrap().to_owned()
    }

    /// Starts what was created: from here on the connection is the command's.
    pub(super) async fn started(&self, id: &str) -> Client {
        let mut client = self.client().await;
        let offer = upgrade(&format!("/exec/{id}/start"));
        client.offer(&offer).await.is(101);
        client
    }

    /// Starts it as soon as there is room.
    pub(super) async fn until_admitted(&self, offer: &Request) {
        until(|| async { self.client().await.offer(offer).await.status == 101 }).await;
    }

    /// Waits until a command has ended.
    pub(super) async fn exit_code(&self, id: &str) -> i64 {
        let path = format!("/exec/{id}/json");
        until(|| async { self.get(&path).await["Running"] == false }).await;
        self.get(&path).await["ExitCode"].as_i64().unwrap()
    }
}

/// What a client asks for that wants all three streams.
pub(super) fn exec(command: &[&str]) -> Value {
    json!({
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": false, "Cmd": command,
        "User": "", "Privileged": false, "WorkingDir": "", "Env": null, "DetachKeys": "",
    })
}

fn posted(path: &str, content: &Value) -> Request {
    let request = Request::get(path).method("POST");
    let request = request.set("Content-Type", "application/json");
    request.content(content.to_string())
}

/// An offer as Docker's client makes it, with the JSON that starts an exec.
pub(super) fn upgrade(path: &str) -> Request {
    let request = Request::upgrade(path, "tcp").method("POST");
    let request = request.set("Content-Type", "application/json");
    request.content(r#"{"Detach":false,"Tty":false}"#)
}

pub(super) fn frame(stream: u8, content: &[u8]) -> (u8, Vec<u8>) {
    (stream, content.to_vec())
}

/// A frame's bytes.
pub(super) fn bytes(stream: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[stream, 0, 0, 0], &length[..], content].concat()
}

/// Reads frames to the last byte.
pub(super) fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (header, rest) = bytes.split_at(8);
        assert_eq!(header[1..4], [0, 0, 0], "{header:?}");
        let length = u32::from_be_bytes(header[4..].try_into().unwrap());
        let (content, rest) = rest.split_at(length as usize);
        frames.push(frame(header[0], content));
        bytes = rest;
    }
    frames
}

/// What arrived on either output.
pub(super) fn streams(bytes: &[u8]) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    for (stream, content) in frames(bytes) {
        match stream {
            STDOUT => out.extend(content),
            STDERR => err.extend(content),
            other => panic!("stream {other}"),
        }
    }
    (
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    )
}

/// Whether a process has ended. Whose parent has ended too, its new one may be slow to wait for.
pub(super) fn is_gone(process: &str) -> bool {
    if Path::new("/proc/self").exists() {
        let told = std::fs::read_to_string(format!("/proc/{process}/stat"));
        return told.is_err() || told.is_ok_and(|told| told.contains(") Z "));
    }
    let alive = std::process::Command::new("sh")
        .args(["-c", &format!("kill -0 {process}")])
        .stderr(std::process::Stdio::null())
        .status();
    !alive.unwrap().success()
}

/// Asks again and again, until it is so.
pub(super) async fn until<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F) {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    patiently("what should become true", asking).await;
}
