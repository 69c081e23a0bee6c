//! The container `demo`: which commands it runs, and what became of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{process::Process, stream::Streams};

const NAME: &str = "demo";
/// How many commands are remembered, those that run among them.
const KEPT: usize = 256;

pub(crate) struct Container {
    allow_sh: bool,
    state: Mutex<State>,
    /// What the container's own command ended with, the last time it did.
    ended: watch::Sender<i32>,
}

#[derive(Default)]
struct State {
    is_attached: bool,
    last: u64,
    execs: BTreeMap<u64, Exec>,
}

struct Exec {
    asked: Asked,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Created,
    Running,
    Ended(i32),
}

/// What a client asks for when it creates an exec. The rest of what it may send changes nothing here.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Asked {
    attach_stdin: bool,
    attach_stdout: bool,
    attach_stderr: bool,
    tty: bool,
    privileged: bool,
    user: String,
    working_dir: String,
    env: Option<Vec<String>>,
    cmd: Vec<String>,
}

/// What is wrong with a request, as this API says it.
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, message }
    }
}

impl Container {
    pub(crate) fn new(allow_sh: bool) -> Self {
        Self {
            allow_sh,
            state: Mutex::default(),
            ended: watch::Sender::new(0),
        }
    }

    pub(crate) fn inspect(&self, name: &str) -> Result<Value, Problem> {
        known(name)?;
        let running = json!({
            "Status": "running", "Running": true, "Paused": false, "Restarting": false, "Dead": false,
        });
        let config = json!({
            "Tty": false, "OpenStdin": true, "AttachStdin": true, "AttachStdout": true,
            "AttachStderr": true, "Cmd": self.main(),
        });
        Ok(json!({ "Id": NAME, "Name": "/demo", "State": running, "Config": config }))
    }

    /// Returns a future of what its own command ends with, the next time it does.
    pub(crate) fn wait(&self, name: &str) -> Result<impl Future<Output = i32> + use<>, Problem> {
        known(name)?;
        let mut ended = self.ended.subscribe();
        Ok(async move {
            // Fails only if there is no container any more, nor anybody to tell it.
            let _ = ended.changed().await;
            *ended.borrow()
        })
    }

    /// Runs the container's own command for this client.
    pub(crate) fn attach(
        self: &Arc<Self>,
        name: &str,
        streams: Streams,
    ) -> Result<(Process, Streams), Problem> {
        known(name)?;
        let mut state = self.lock();
        if state.is_attached {
            return Err(Problem::new(409, "somebody else is attached to it"));
        }
        let this = Arc::clone(self);
        let ended = move |code| {
            this.lock().is_attached = false;
            this.ended.send_replace(code);
        };
        let process = spawn(&self.main(), streams, ended)?;
        state.is_attached = true;
        Ok((process, streams))
    }

    /// Remembers a command to be started, and gives it a name.
    pub(crate) fn create(&self, name: &str, asked: Asked) -> Result<String, Problem> {
        known(name)?;
        self.check(&asked)?;
        let mut state = self.lock();
        if state.execs.len() >= KEPT {
            let is_over = |exec: &Exec| exec.stage != Stage::Running;
            let oldest = state.execs.iter().find(|(_, exec)| is_over(exec));
            let Some(oldest) = oldest.map(|(id, _)| *id) else {
                return Err(Problem::new(503, "too many commands are running"));
            };
            state.execs.remove(&oldest);
        }
        state.last += 1;
        let (id, stage) = (state.last, Stage::Created);
        state.execs.insert(id, Exec { asked, stage });
        Ok(format!("{id:064x}"))
    }

    /// Starts a command that was created, once, with frames or raw; if nothing is said, with a terminal raw.
    pub(crate) fn start(
        self: &Arc<Self>,
        id: &str,
        raw: Option<bool>,
    ) -> Result<(Process, Streams), Problem> {
        let (number, mut state) = (number(id)?, self.lock());
        let exec = state.execs.get_mut(&number).ok_or_else(|| no_exec(id))?;
        if exec.stage != Stage::Created {
            return Err(Problem::new(409, "this exec was started before"));
        }
        let asked = &exec.asked;
        let streams = Streams {
            stdin: asked.attach_stdin,
            stdout: asked.attach_stdout,
            stderr: asked.attach_stderr,
            tty: asked.tty,
            raw: raw.unwrap_or(asked.tty),
        };
        let this = Arc::clone(self);
        let ended = move |code| {
            if let Some(exec) = this.lock().execs.get_mut(&number) {
                exec.stage = Stage::Ended(code);
            }
        };
        let process = spawn(&asked.cmd, streams, ended)?;
        exec.stage = Stage::Running;
        Ok((process, streams))
    }

    pub(crate) fn inspect_exec(&self, id: &str) -> Result<Value, Problem> {
        let (number, state) = (number(id)?, self.lock());
        let exec = state.execs.get(&number).ok_or_else(|| no_exec(id))?;
        let code = match exec.stage {
            Stage::Ended(code) => Some(code),
            Stage::Created | Stage::Running => None,
        };
        let is_running = exec.stage == Stage::Running;
        Ok(json!({ "ID": id, "ContainerID": NAME, "Running": is_running, "ExitCode": code }))
    }

    fn main(&self) -> Vec<String> {
        vec![if self.allow_sh { "sh" } else { "cat" }.into()]
    }

    fn check(&self, asked: &Asked) -> Result<(), Problem> {
        let is_modest = asked.user.is_empty()
            && asked.working_dir.is_empty()
            && asked.env.as_ref().is_none_or(Vec::is_empty)
            && !asked.privileged;
        if !is_modest {
            let why = "commands run here as they are: no user, directory, environment or privilege";
            return Err(Problem::new(400, why));
        }
        // None of them opens a file by what it is told, but the shell.
        let words: Vec<_> = asked.cmd.iter().map(String::as_str).collect();
        let counts = |flag: &&str| matches!(*flag, "-c" | "-l" | "-m" | "-w");
        let is_allowed = match words.as_slice() {
            ["cat"] | ["echo", ..] => true,
            ["wc", flags @ ..] => flags.iter().all(counts),
            ["sh", "-c", _] => self.allow_sh,
            _ => false,
        };
        if is_allowed {
            return Ok(());
        }
        let sh = if self.allow_sh { ", `sh -c ..`" } else { "" };
        let why = format!("not allowed here; there is `cat`, `echo ..`, `wc [-clmw]`{sh}");
        Err(Problem::new(400, format!("{:?}: {why}", words.join(" "))))
    }

    /// No code that can panic runs under the lock, so that a poisoned state is a sound one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(name: &str) -> Result<(), Problem> {
    if name == NAME {
        return Ok(());
    }
    Err(Problem::new(404, format!("No such container: {name}")))
}

fn number(id: &str) -> Result<u64, Problem> {
    u64::from_str_radix(id, 16).map_err(|_| no_exec(id))
}

fn no_exec(id: &str) -> Problem {
    Problem::new(404, format!("No such exec instance: {id}"))
}

fn spawn(
    command: &[String],
    streams: Streams,
    ended: impl FnOnce(i32) + Send + 'static,
) -> Result<Process, Problem> {
    Process::spawn(command, streams, ended)
        .map_err(|error| Problem::new(500, format!("the command does not start: {error}")))
}
