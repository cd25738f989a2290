//! Where loads are carried out: servers are started and ended, accounts made, processes gathered, runs shown.
//!
//! Not here: which runs ([`crate::command`], [`crate::suite`]) and how a load goes ([`crate::engine`]).

use crate::cluster::Cluster;
use crate::engine::conductor::{self, Aim, Means, Operator};
use crate::engine::crew::Gathering;
use crate::failure::Failure;
use crate::fleet::{self, Account, Recruiting, Registration};
use crate::outcome::Outcome;
use crate::process::open_files_max;
use crate::scenario::Scenario;
use crate::server::Server;
use crate::target::{self, Floor, Folder};
use crate::view::View;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Files of a process that are no sessions: the store's, sockets that listen, logs.
const FILES_KEPT: u64 = 500;

/// Accounts after which it is said how many are ready.
const READY_STEP: usize = 500;

/// What a server that is started here is told beside the flags of the caller: a log that a load does not flood.
const SERVER_ARGS: [&str; 2] = ["--log", "warn"];

/// What the nodes of a cluster are called together; nobody looks the name up.
const NAME: [&str; 2] = ["--public-url", "http://rill.example"];

/// How loads are carried out.
#[derive(Debug, Clone)]
pub struct Custom {
    /// The server's binary, when one is started here.
    pub binary: Option<PathBuf>,
    /// Arguments more for it.
    pub server_args: Vec<String>,
    /// Where servers keep their data.
    pub folder: Option<PathBuf>,
    /// Begins the names of the accounts; random without one.
    pub prefix: Option<String>,
    /// The password of every account.
    pub password: String,
    /// How accounts come to be.
    pub registration: Registration,
    /// Threads that register.
    pub registrars: usize,
    /// Threads that carry the sessions, in each process.
    pub generators: usize,
    /// Processes that carry them; 1 means this one.
    pub processes: usize,
    /// Where processes of other machines come to; without it they are started here.
    pub gather: Option<SocketAddr>,
    /// How long nothing may happen before what is missing counts as lost.
    pub stall: Duration,
    /// Whether runs are shown line by line also on a terminal.
    pub is_plain: bool,
}

/// A store with accounts in it, copied for each run that wants them.
#[derive(Debug)]
pub struct Template {
    data: PathBuf,
    accounts: Arc<Vec<Account>>,
}

/// The place itself. What it has started ends with it.
#[derive(Debug)]
pub struct Workshop {
    custom: Custom,
    folder: Folder,
    template: Option<Template>,
    /// Accounts at servers that hold no copy of the template, by their URL.
    guests: HashMap<String, Arc<Vec<Account>>>,
}

impl Workshop {
    /// Opens one.
    pub fn open(custom: Custom) -> Result<Self, Failure> {
        let folder = Folder::make(custom.folder.as_deref())?;
        Ok(Self { custom, folder, template: None, guests: HashMap::new() })
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes accounts once, for all runs that follow.
    pub fn prepare(&mut self, accounts: usize) -> Result<(), Failure> {
        let data = self.fresh_data();
        let mut server = self.start(&data, &[])?;
        let accounts = Arc::new(self.recruit(&target::aim(&server), accounts, &self.custom.registration)?);
        // An orderly end, so that the copies need no recovery.
        let status = server.terminate()?;
        if !status.success() {
            return Err(Failure::Process(format!("ended with {status}")));
        }
        self.template = Some(Template { data, accounts });
        Ok(())
    }

    /// Makes accounts once at a server that is not started for each run, for all runs against it that follow.
    pub fn prepare_at(&mut self, aim: &Aim, accounts: usize) -> Result<(), Failure> {
        let accounts = Arc::new(self.recruit(aim, accounts, &self.custom.registration)?);
        self.guests.insert(aim.base_url.clone(), accounts);
        Ok(())
    }

    /// The accounts that were made for servers that are started here.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        self.template.as_ref().map_or(&[], |template| &template.accounts)
    }

    /// What the server's binary calls itself.
    pub fn server_version(&self) -> Result<String, Failure> {
        let binary = target::binary(self.custom.binary.as_deref())?;
        let output = Command::new(binary).arg("--version").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A Rill of its own with the prepared accounts, or with none: the server and its data.
    pub fn server(&self, more_args: &[&str]) -> Result<Server, Failure> {
        let data = self.fresh_data();
        if let Some(template) = &self.template {
            copy(&template.data, &data)?;
        }
        self.start(&data, more_args)
    }

    /// So many nodes over a PostgreSQL and a Redis of their own.
    pub fn cluster(&self, nodes: usize) -> Result<Cluster, Failure> {
        let binary = target::binary(self.custom.binary.as_deref())?;
        let folder = self.fresh_data();
        std::fs::create_dir_all(&folder)?;
        Cluster::start(&binary, &folder, nodes, &[&SERVER_ARGS[..], &NAME].concat())
    }

    /// Loads a fresh Rill.
    pub fn against_server(&self, scenario: &Scenario, more_args: &[&str]) -> Result<Outcome, Failure> {
        let mut server = self.server(more_args)?;
        let outcome = self.against_this(scenario, &mut server);
        drop(std::fs::remove_dir_all(server.data_dir()));
        outcome
    }

    /// Loads a Rill that was started here.
    pub fn against_this(&self, scenario: &Scenario, server: &mut Server) -> Result<Outcome, Failure> {
        let aim = target::aim(server);
        let accounts = match &self.template {
            Some(template) if template.accounts.len() >= scenario.sessions() => {
                Arc::clone(&template.accounts)
            }
            _ => Arc::new(self.recruit(&aim, scenario.sessions(), &self.custom.registration)?),
        };
        let mut own = Own { server };
        self.run(scenario, &aim, accounts, Some(&mut own))
    }

    /// Loads a server that runs.
    pub fn against_aim(&self, scenario: &Scenario, aim: &Aim) -> Result<Outcome, Failure> {
        let accounts = match self.guests.get(&aim.base_url) {
            Some(accounts) if accounts.len() >= scenario.sessions() => Arc::clone(accounts),
            _ => Arc::new(self.recruit(aim, scenario.sessions(), &self.custom.registration)?),
        };
        self.run(scenario, aim, accounts, None)
    }

    /// Loads a bare server that sends as many bytes for each delivery.
    pub fn against_floor(
        &self,
        scenario: &Scenario,
        delivery_bytes: usize,
        has_log: bool,
    ) -> Result<Outcome, Failure> {
        let floor = Floor::start(self.folder.path(), delivery_bytes, has_log)?;
        let accounts = Arc::new(self.recruit(&floor.aim(), scenario.sessions(), &Registration::None)?);
        self.run(scenario, &floor.aim(), accounts, None)
    }

    fn run(
        &self,
        scenario: &Scenario,
        aim: &Aim,
        accounts: Arc<Vec<Account>>,
        operator: Option<&mut dyn Operator>,
    ) -> Result<Outcome, Failure> {
        check_files(scenario.online().div_ceil(self.custom.processes))?;
        let (mut helpers, processes) = self.gather()?;
        let means =
            Means { accounts, generators: self.custom.generators, processes, stall: self.custom.stall };
        let mut view = View::open(&scenario.name, &aim.name, self.custom.is_plain);
        let outcome = conductor::run(scenario, aim, means, operator, &mut |moment| view.show(moment));
        drop(view);
        for helper in &mut helpers {
            // They end by themselves when the conductor has what they bring, and are not waited for when it failed.
            if outcome.is_err() {
                drop(helper.kill());
            }
            drop(helper.wait());
        }
        outcome
    }

    /// The processes that carry a load: none when this one does it alone.
    fn gather(&self) -> Result<(Vec<Child>, Vec<TcpStream>), Failure> {
        let Custom { processes, gather, .. } = self.custom;
        if processes <= 1 && gather.is_none() {
            return Ok((Vec::new(), Vec::new()));
        }
        let gathering = Gathering::at(gather.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))))?;
        let address = gathering.address()?;
        let mut helpers = Vec::new();
        if gather.is_none() {
            for _ in 0..processes {
                let mut command = Command::new(std::env::current_exe()?);
                helpers.push(command.arg("join").arg(address.to_string()).spawn()?);
            }
        } else {
            eprintln!("waiting for {processes} processes: rill-loadtest join {address}");
        }
        Ok((helpers, gathering.wait(processes)?))
    }

    fn start(&self, data: &Path, more_args: &[&str]) -> Result<Server, Failure> {
        let binary = target::binary(self.custom.binary.as_deref())?;
        let mut args: Vec<&str> = SERVER_ARGS.to_vec();
        args.extend(more_args);
        args.extend(self.custom.server_args.iter().map(String::as_str));
        Server::start(&binary, data, &args)
    }

    fn fresh_data(&self) -> PathBuf {
        self.folder.path().join(Uuid::new_v4().simple().to_string())
    }

    fn recruit(
        &self,
        aim: &Aim,
        accounts: usize,
        registration: &Registration,
    ) -> Result<Vec<Account>, Failure> {
        let random = || Uuid::new_v4().simple().to_string()[..12].to_owned();
        let recruiting = Recruiting {
            base_url: aim.base_url.clone(),
            prefix: self.custom.prefix.clone().unwrap_or_else(random),
            password: self.custom.password.clone(),
            registration: registration.clone(),
            threads: self.custom.registrars.max(1),
        };
        fleet::recruit(&recruiting, 0..accounts, &mut |ready| {
            if ready % READY_STEP == 0 && !matches!(registration, Registration::None) {
                eprintln!("{}: {ready} of {accounts} accounts ready", aim.name);
            }
        })
    }
}

/// A server of ours, to be ended and begun again.
struct Own<'a> {
    server: &'a mut Server,
}

impl Operator for Own<'_> {
    fn end(&mut self) -> Result<(), Failure> {
        self.server.signal("TERM")
    }

    fn begin_again(&mut self) -> Result<Option<u32>, Failure> {
        let status = self.server.wait()?;
        if !status.success() {
            return Err(Failure::Process(format!("was drained and ended with {status}")));
        }
        self.server.restart()?;
        Ok(Some(self.server.pid()))
    }
}

/// Refuses more connections in one process than files may be open.
fn check_files(sessions: usize) -> Result<(), Failure> {
    let most = open_files_max();
    if sessions as u64 + FILES_KEPT > most {
        let wanted = "use several processes (--processes), or raise the limit (ulimit -n)";
        return Err(Failure::Plan(format!(
            "{sessions} sessions, but {most} open files in a process: {wanted}"
        )));
    }
    Ok(())
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
