//! Tries a WebSocket handshake step by step, and says what is wrong and what mends it.
//!
//! ```text
//! cargo run --example doctor -- wss://edge.example/ws --behind http://127.0.0.1:8080/ws --behind http://127.0.0.1:3001/ws
//! ```
//!
//! Name, TCP, TLS, a plain GET, the handshake over HTTP/1.1 and HTTP/2, a ping, silence; then handshakes
//! that a server should refuse or understand. With `--behind`, for each hop from the edge inwards, the same
//! is done there, always with the edge's `Host` and `Origin`, as a proxy should pass them on. The hop that
//! breaks it is named, and the lines of nginx, HAProxy or Apache that mend it.
//!
//! It sends no cookies and no credentials, so it goes on past a bad certificate. One of its requests is no
//! HTTP on purpose: by the complaint about it, proxies give their names away.
//!
//! Exit codes: 0 all fine (there may be notes), 1 warnings, 2 something is broken, 3 not even a connection
//! to the first hop, 64 wrong usage.

mod compare;
mod exam;
mod finding;
mod hint;
mod options;
mod pair;
mod proxy;
mod remedy;
mod report;
mod seen;
mod steps;
mod target;
mod text;
mod visit;
mod wire;

use std::{
    env,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use futures_util::future::join_all;

use crate::{
    exam::Exam,
    options::{Options, USAGE},
    report::Report,
    visit::Visit,
    wire::Trust,
};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        return print(&format!("{USAGE}\n"), ExitCode::SUCCESS);
    }
    let options = match Options::parse(arguments.into_iter()) {
        Ok(options) => options,
        Err(why) => return wrong_usage(&why),
    };
    let trust = match Trust::load(options.ca.as_deref()) {
        Ok(trust) => trust,
        Err(why) => return wrong_usage(&why),
    };
    let report = examine(&options, trust).await;
    let text = if options.json {
        report::json(&report).map_or_else(|error| error.to_string(), |json| json + "\n")
    } else {
        report::table(&report, wants_colours())
    };
    print(&text, report.exit())
}

async fn examine(options: &Options, trust: Trust) -> Report {
    let exam = Exam::new(options, trust);
    // Proxies seldom speak HTTP/2 to what is behind them.
    let inner = Exam {
        is_http2_wanted: false,
        ..exam.clone()
    };
    let edge = Visit::of(&options.target, &exam);
    let behind = options.behind.iter().map(|hop| Visit::of(hop, &inner));
    let (edge, behind) = tokio::join!(edge, join_all(behind));
    let mut visits = vec![edge];
    visits.extend(behind);
    let culprits = compare::compare(&mut visits);
    Report {
        target: options.target.clone(),
        visits,
        culprits,
    }
}

/// Colours are for terminals, and for those who did not turn them off (no-color.org).
fn wants_colours() -> bool {
    let is_off = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !is_off
}

/// A reader that hangs up, as `head` does, is no reason to panic.
fn print(text: &str, code: ExitCode) -> ExitCode {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    if written.is_err() {
        eprintln!("the output could not be written");
    }
    code
}

fn wrong_usage(why: &str) -> ExitCode {
    eprintln!("doctor: {why}\n\n{USAGE}");
    ExitCode::from(64)
}
