//! Crews of other processes: how they are gathered, told, and heard; and what such a process does.
//!
//! The connection is plain TCP and carries the accounts' tokens: it belongs on a machine or a network of one's own. Not here: what is said
//! over it ([`super::letter`]).

use super::letter::{Down, Report, Up, read, send};
use super::{Crew, Near};
use crate::engine::shared::{Founding, Harvest, Order, Snapshot, locked};
use crate::engine::tally::Times;
use crate::failure::Failure;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often a process reports.
const REPORT: Duration = Duration::from_millis(50);

/// How long processes have to come together.
const GATHER_WAIT: Duration = Duration::from_secs(60);

/// How long a process has to bring its harvest: megabytes of JSON from a busy machine.
const HARVEST_WAIT: Duration = Duration::from_secs(60);

/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// Where processes come together.
#[derive(Debug)]
pub struct Gathering(TcpListener);

impl Gathering {
    /// Listens there; port 0 lets the system choose.
    pub fn at(address: SocketAddr) -> Result<Self, Failure> {
        Ok(Self(TcpListener::bind(address)?))
    }

    /// Where processes are to come.
    pub fn address(&self) -> Result<SocketAddr, Failure> {
        Ok(self.0.local_addr()?)
    }

    /// Waits for so many processes.
    pub fn wait(&self, processes: usize) -> Result<Vec<TcpStream>, Failure> {
        self.0.set_nonblocking(true)?;
        let begun = Instant::now();
        let mut come = Vec::new();
        while come.len() < processes {
            match self.0.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    come.push(stream);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::sleep(LOOK),
                Err(error) => return Err(error.into()),
            }
            if begun.elapsed() > GATHER_WAIT {
                let what = format!("{processes} processes of the load ({} came)", come.len());
                return Err(Failure::timed_out(what, GATHER_WAIT));
            }
        }
        Ok(come)
    }
}

/// What a process has said.
#[derive(Debug, Default)]
struct Heard {
    report: Report,
    recent: Times,
    announced: Vec<(u32, Uuid)>,
    end: Option<Result<Vec<Harvest>, String>>,
}

/// The generators of another process.
#[derive(Debug)]
pub(in crate::engine) struct Far {
    stream: TcpStream,
    heard: Arc<Mutex<Heard>>,
    ceases: u32,
}

impl Far {
    /// Has the process raise so many generators, from this number on.
    pub(in crate::engine) fn raise(
        mut stream: TcpStream,
        founding: Founding,
        first: usize,
        count: usize,
    ) -> Result<Self, Failure> {
        stream.set_nodelay(true)?;
        send(&mut stream, &Down::Found { founding: Box::new(founding), first, count })?;
        let heard = Arc::<Mutex<Heard>>::default();
        let (lines, hearing) = (BufReader::new(stream.try_clone()?).lines(), Arc::clone(&heard));
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                hear(&hearing, read(&line));
            }
            let mut heard = locked(&hearing);
            if heard.end.is_none() {
                heard.end = Some(Err("a process of the load has gone away".to_owned()));
            }
        });
        Ok(Self { stream, heard, ceases: 0 })
    }

    fn tell(&mut self, letter: &Down) {
        // A process that is gone is noticed by its silence.
        let _ = send(&mut self.stream, letter);
    }
}

fn hear(heard: &Mutex<Heard>, letter: Result<Up, Failure>) {
    let mut heard = locked(heard);
    match letter {
        Ok(Up::Report(mut report)) => {
            heard.recent.add(&report.recent);
            heard.announced.append(&mut report.announced);
            heard.report = *report;
        }
        Ok(Up::Harvest(harvests)) => heard.end = Some(Ok(harvests)),
        Ok(Up::Failed(why)) => heard.end = Some(Err(why)),
        Err(failure) => heard.end = Some(Err(failure.to_string())),
    }
}

impl Crew for Far {
    fn order(&mut self, order: &Order) {
        self.ceases += u32::from(matches!(order, Order::Cease));
        self.tell(&Down::Order(order.clone()));
    }

    fn snapshot(&self) -> Snapshot {
        locked(&self.heard).report.snapshot
    }

    fn take_recent(&mut self) -> Times {
        std::mem::take(&mut locked(&self.heard).recent)
    }

    fn lag(&self) -> Option<u64> {
        let heard = locked(&self.heard);
        heard.report.lag.filter(|_| heard.report.ceases == self.ceases)
    }

    fn take_announced(&mut self) -> Vec<(u32, Uuid)> {
        std::mem::take(&mut locked(&self.heard).announced)
    }

    fn learn(&mut self, announced: &[(u32, Uuid)]) {
        if !announced.is_empty() {
            self.tell(&Down::Learn(announced.to_vec()));
        }
    }

    fn tops(&self) -> Vec<(Uuid, u32)> {
        locked(&self.heard).report.tops.clone()
    }

    fn raise_tops(&mut self, tops: &[(Uuid, u32)]) {
        if !tops.is_empty() {
            self.tell(&Down::Tops(tops.to_vec()));
        }
    }

    fn has_ended(&self) -> bool {
        locked(&self.heard).end.is_some()
    }

    fn harvest(&mut self) -> Result<Vec<Harvest>, Failure> {
        let begun = Instant::now();
        while begun.elapsed() < HARVEST_WAIT {
            if let Some(end) = locked(&self.heard).end.take() {
                return end.map_err(Failure::Broken);
            }
            std::thread::sleep(LOOK);
        }
        Err(Failure::timed_out("harvest of another process", HARVEST_WAIT))
    }
}

/// What a process of a load does that another one conducts: raises its generators, obeys, reports, brings the harvest.
pub fn join(conductor: SocketAddr) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(conductor)?;
    stream.set_nodelay(true)?;
    let lines = BufReader::new(stream.try_clone()?).lines();
    let (letters, come) = channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if letters.send(read::<Down>(&line)).is_err() {
                return;
            }
        }
    });
    let outcome = work(&mut stream, &come);
    if let Err(failure) = &outcome {
        send(&mut stream, &Up::Failed(failure.to_string()))?;
    }
    outcome
}

fn work(
    stream: &mut TcpStream,
    letters: &std::sync::mpsc::Receiver<Result<Down, Failure>>,
) -> Result<(), Failure> {
    let gone = || Failure::Broken("the conductor has gone away".into());
    let first = letters.recv_timeout(GATHER_WAIT).map_err(|_| gone())??;
    let Down::Found { founding, first, count } = first else {
        return Err(Failure::Broken("the conductor does not begin with the plan".into()));
    };
    let mut crew = Near::raise(*founding, first..first + count)?;
    let (mut ceases, mut reported) = (0, Instant::now());
    loop {
        match letters.recv_timeout(REPORT.saturating_sub(reported.elapsed())) {
            Ok(letter) => match letter? {
                Down::Found { .. } => return Err(Failure::Broken("a second plan came".into())),
                Down::Order(Order::Stop) => {
                    crew.order(&Order::Stop);
                    let harvests = crew.harvest()?;
                    return send(stream, &Up::Harvest(harvests));
                }
                Down::Order(order) => {
                    crew.order(&order);
                    ceases += u32::from(matches!(order, Order::Cease));
                }
                Down::Learn(announced) => crew.learn(&announced),
                Down::Tops(tops) => crew.raise_tops(&tops),
            },
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(gone()),
        }
        if reported.elapsed() >= REPORT {
            reported = Instant::now();
            report(stream, &mut crew, ceases)?;
        }
    }
}

fn report(stream: &mut TcpStream, crew: &mut Near, ceases: u32) -> Result<(), Failure> {
    let lag = crew.lag();
    let report = Report {
        snapshot: crew.snapshot(),
        recent: crew.take_recent(),
        lag,
        ceases,
        announced: crew.take_announced(),
        tops: if lag.is_some() { crew.tops() } else { Vec::new() },
    };
    send(stream, &Up::Report(Box::new(report)))?;
    if crew.has_ended() {
        crew.harvest()?;
        return Err(Failure::Broken("a generator ended before it was told to".into()));
    }
    Ok(())
}
