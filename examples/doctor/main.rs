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
//! What is waited for is told on stderr, if that is a terminal. Ctrl-C ends it with what was found so far.
//!
//! Exit codes: 0 all fine (there may be notes), 1 warnings, 2 something is broken, 3 not even a connection
//! to the first hop, 64 wrong usage, 130 interrupted.

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
mod terminal;
mod text;
mod visit;
mod wire;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use futures_util::future::join_all;

use crate::{
    exam::Exam,
    options::{Options, USAGE},
    report::Report,
    terminal::{wants_colours, width},
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
        report::table(&report, wants_colours(), width())
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
    let targets = [&options.target].into_iter().chain(&options.behind);
    let mut visits: Vec<_> = targets.map(Visit::new).collect();
    let hops = visits.iter_mut().enumerate();
    let visiting = join_all(hops.map(|(hop, visit)| {
        let exam = if hop == 0 { &exam } else { &inner };
        visit.run(exam)
    }));
    let is_interrupted = tokio::select! {
        _ = visiting => false,
        Ok(()) = tokio::signal::ctrl_c() => true,
    };
    exam.progress.end();
    // Hops can be compared only as far as both are known.
    let culprits = if is_interrupted {
        Vec::new()
    } else {
        compare::compare(&mut visits)
    };
    Report {
        target: options.target.clone(),
        visits,
        culprits,
        is_interrupted,
    }
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
