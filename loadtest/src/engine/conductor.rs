//! The conductor: brings a load from connecting to the verdict, and looks at the server meanwhile.
//!
//! Owns: what the phases of all scenarios have in common, and the measured window. Not here: which phases a scenario has
//! ([`super::phases`]), the generators' work ([`super::generator`]), where the accounts come from ([`crate::fleet`]).

use super::crew::{Crew, Far, Near};
use super::phases;
use super::shared::{Clock, Founding, Order, Snapshot};
use super::tally::{Tally, Times};
use crate::failure::Failure;
use crate::fleet::Account;
use crate::metrics;
use crate::outcome::{Moment, Outcome, Window};
use crate::process::Usage;
use crate::scenario::{Pace, Scenario};
use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often the run is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How often a moment is kept for the curves over time.
const MOMENT: Duration = Duration::from_millis(500);

/// Between the order and the first event that is due, so that every generator stands ready.
const START_LEAD_US: u64 = 150_000;

/// Nothing may have come for so long before a run counts as settled: what is doubled or late follows within milliseconds.
const QUIET: Duration = Duration::from_millis(500);

/// The same before a load begins, whose warm-up takes what follows.
const CALM: Duration = Duration::from_millis(100);

/// What a node's counters begin with that tell of its dealings with the others.
const OF_LINK: &str = "rill_link_";

/// Whom to load.
#[derive(Debug, Clone)]
pub struct Aim {
    /// What it is called in reports.
    pub name: String,
    /// Where it listens, as `http://HOST:PORT`.
    pub base_url: String,
    /// Its process, when it runs on this machine.
    pub pid: Option<u32>,
    /// Where those sessions connect that do not write; without it, to the same server.
    pub readers_url: Option<String>,
    /// What else works for this load on this machine, and is looked at over the measured part.
    pub beside: Vec<Beside>,
}

impl Aim {
    /// One server, with nothing beside it.
    #[must_use]
    pub fn new(name: &str, base_url: String, pid: Option<u32>) -> Self {
        Self { name: name.to_owned(), base_url, pid, readers_url: None, beside: Vec::new() }
    }
}

/// A process that works for a load beside the server.
#[derive(Debug, Clone)]
pub struct Beside {
    /// What it is called in figures.
    pub name: String,
    /// Its process; those that it has started are counted with it.
    pub pid: u32,
    /// Where it tells its counters, when it is a node.
    pub base_url: Option<String>,
}

/// How to load it.
#[derive(Debug)]
pub struct Means {
    /// An account for each session of the scenario.
    pub accounts: Arc<Vec<Account>>,
    /// Threads that carry the sessions, in each process.
    pub generators: usize,
    /// Other processes that carry them; none means that this one does.
    pub processes: Vec<TcpStream>,
    /// How long nothing may happen before what is missing counts as lost.
    pub stall: Duration,
}

/// Whoever is shown how a run goes: the phase, and the last moment.
pub type Watch<'a> = dyn FnMut(&Moment) + 'a;

/// Whoever can end a server and start it again on the same data and address.
pub trait Operator {
    /// Tells it to end.
    fn end(&mut self) -> Result<(), Failure>;

    /// Waits until it has ended, which must be with success, and starts it again. Its process, when it runs on this machine.
    fn begin_again(&mut self) -> Result<Option<u32>, Failure>;
}

/// Carries the scenario out and judges the outcome. A drain wants an operator.
pub fn run(
    scenario: &Scenario,
    aim: &Aim,
    means: Means,
    operator: Option<&mut dyn Operator>,
    watch: &mut Watch<'_>,
) -> Result<Outcome, Failure> {
    scenario.check()?;
    let processes = means.processes.len().max(1);
    if means.accounts.len() < scenario.sessions() || means.generators == 0 {
        return Err(Failure::Plan(format!("{} accounts and a generator are needed", scenario.sessions())));
    }
    let generators = means.generators * processes;
    let mut conductor = Conductor::raise(scenario, aim, means, watch)?;
    let idle = conductor.usage();
    conductor.connect()?;
    let connected = conductor.usage();
    let window = phases::carry_out(&mut conductor, operator)?;
    let is_settled = conductor.settle();
    let series = std::mem::take(&mut conductor.series);
    let figures = std::mem::take(&mut conductor.figures);
    let tally = conductor.harvest()?;
    Ok(Outcome {
        scenario: scenario.clone(),
        target: aim.name.clone(),
        generators,
        processes,
        is_settled,
        idle,
        connected,
        window,
        figures,
        tally,
        series,
    })
}

/// A run that is under way.
pub(super) struct Conductor<'a> {
    pub(super) scenario: Scenario,
    pub(super) aim: Aim,
    stall: Duration,
    crews: Vec<Box<dyn Crew>>,
    clock: Clock,
    begun: Instant,
    kept: Option<Instant>,
    phase: &'static str,
    series: Vec<Moment>,
    /// What a shape has to say beside the window.
    pub(super) figures: BTreeMap<String, f64>,
    watch: &'a mut Watch<'a>,
}

impl<'a> Conductor<'a> {
    fn raise(
        scenario: &Scenario,
        aim: &Aim,
        means: Means,
        watch: &'a mut Watch<'_>,
    ) -> Result<Self, Failure> {
        let server = address(&aim.base_url)?;
        let readers = aim.readers_url.as_deref().map(address).transpose()?;
        let Means { accounts, generators, processes, stall } = means;
        let founding = Founding {
            scenario: scenario.clone(),
            accounts: accounts[..scenario.sessions()].to_vec(),
            server,
            readers,
            run_key: Uuid::new_v4().as_u64_pair().1,
            generators: (generators * processes.len().max(1)) as u32,
        };
        let mut crews: Vec<Box<dyn Crew>> = Vec::new();
        if processes.is_empty() {
            crews.push(Box::new(Near::raise(founding, 0..generators)?));
        } else {
            for (nth, stream) in processes.into_iter().enumerate() {
                let far = Far::raise(stream, founding.clone(), nth * generators, generators)?;
                crews.push(Box::new(far));
            }
        }
        Ok(Self {
            scenario: scenario.clone(),
            aim: aim.clone(),
            stall,
            crews,
            clock: Clock::start(),
            begun: Instant::now(),
            kept: None,
            phase: "",
            series: Vec::new(),
            figures: BTreeMap::new(),
            watch,
        })
    }

    pub(super) fn order(&mut self, order: &Order) {
        self.crews.iter_mut().for_each(|crew| crew.order(order));
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.crews.iter().map(|crew| crew.snapshot()).sum()
    }

    pub(super) fn now_us(&self) -> u64 {
        self.clock.now_us()
    }

    /// What the server has used, by the system when it runs here, else by its own metrics.
    pub(super) fn usage(&self) -> Option<Usage> {
        match self.aim.pid {
            Some(pid) => Usage::of(pid).ok(),
            None => metrics::scrape(&self.aim.base_url).ok().and_then(|metrics| metrics::usage(&metrics)),
        }
    }

    /// The server's own counters; nothing when it has none.
    pub(super) fn metrics(&self) -> BTreeMap<String, f64> {
        metrics::scrape(&self.aim.base_url).unwrap_or_default()
    }

    /// What the processes beside the server have used and counted so far.
    fn beside(&self) -> BTreeMap<String, f64> {
        let mut all = BTreeMap::new();
        for Beside { name, pid, base_url } in &self.aim.beside {
            if let Ok(usage) = Usage::with_children(*pid) {
                all.insert(format!("{name}: cpu_s"), usage.cpu_s());
            }
            let counted = base_url.as_deref().and_then(|url| metrics::scrape(url).ok()).unwrap_or_default();
            let of_link = counted.into_iter().filter(|(counter, _)| counter.starts_with(OF_LINK));
            all.extend(of_link.map(|(counter, value)| (format!("{name}: {counter}"), value)));
        }
        all
    }

    pub(super) fn begin_phase(&mut self, phase: &'static str) {
        self.phase = phase;
        self.kept = None;
    }

    /// Sleeps a little, passes on what processes have to know of each other, and keeps a moment now and then.
    fn look(&mut self) {
        std::thread::sleep(LOOK);
        if self.crews.len() > 1 {
            self.pass_on();
        }
        if self.kept.is_some_and(|kept| kept.elapsed() < MOMENT) {
            return;
        }
        self.kept = Some(Instant::now());
        let mut recent = Times::default();
        self.crews.iter_mut().for_each(|crew| recent.add(&crew.take_recent()));
        let moment = Moment {
            at_s: self.begun.elapsed().as_secs_f64(),
            phase: self.phase.to_owned(),
            progress: self.snapshot(),
            usage: self.usage(),
            p50_us: recent.percentile(50.0),
            p99_us: recent.percentile(99.0),
        };
        (self.watch)(&moment);
        self.series.push(moment);
    }

    fn pass_on(&mut self) {
        let news: Vec<Vec<(u32, Uuid)>> = self.crews.iter_mut().map(|crew| crew.take_announced()).collect();
        let mut tops: HashMap<Uuid, u32> = HashMap::new();
        for (id, top) in self.crews.iter().flat_map(|crew| crew.tops()) {
            let known = tops.entry(id).or_default();
            *known = top.max(*known);
        }
        let tops: Vec<(Uuid, u32)> = tops.into_iter().collect();
        for (nth, crew) in self.crews.iter_mut().enumerate() {
            let others = news.iter().enumerate().filter(|(from, _)| *from != nth);
            let others: Vec<(u32, Uuid)> = others.flat_map(|(_, news)| news.iter().copied()).collect();
            crew.learn(&others);
            crew.raise_tops(&tops);
        }
    }

    fn has_ended(&self) -> bool {
        self.crews.iter().any(|crew| crew.has_ended())
    }

    /// Waits until `is_done`, or until nothing has changed for the stall time: false then.
    pub(super) fn wait(&mut self, is_done: impl Fn(&Snapshot, Option<u64>) -> bool) -> bool {
        let (mut last, mut changed) = (Snapshot::default(), Instant::now());
        loop {
            let now = self.snapshot();
            let lag = self.crews.iter().map(|crew| crew.lag()).sum();
            if is_done(&now, lag) {
                return true;
            }
            if now != last {
                (last, changed) = (now, Instant::now());
            }
            if changed.elapsed() > self.stall || self.has_ended() {
                return false;
            }
            self.look();
        }
    }

    /// Waits until every session is in sync.
    pub(super) fn await_live(&mut self) -> Result<(), Failure> {
        self.await_so_many(self.scenario.online())
    }

    fn await_so_many(&mut self, sessions: usize) -> Result<(), Failure> {
        if self.wait(|now, _| now.live + now.lost >= sessions as u64) {
            return Ok(());
        }
        Err(self.broken("all sessions in sync"))
    }

    fn connect(&mut self) -> Result<(), Failure> {
        if self.scenario.founds_first() {
            self.begin_phase("founding");
            self.order(&Order::ConnectFounders);
            self.await_so_many(self.scenario.founders().len())?;
            self.create()?;
            self.begin_phase("connecting");
            self.order(&Order::Connect);
            self.await_live()?;
        } else {
            self.begin_phase("connecting");
            self.order(&Order::Connect);
            self.await_live()?;
            self.begin_phase("creating");
            self.create()?;
            self.await_joined()?;
        }
        if self.scenario.has_activity() {
            self.order(&Order::Activate);
        }
        self.quiet(CALM);
        Ok(())
    }

    fn create(&mut self) -> Result<(), Failure> {
        self.order(&Order::Create);
        let conversations = self.scenario.conversations as u64;
        let is_created = self.wait(|now, _| now.created + now.refused >= conversations);
        if !is_created || self.snapshot().created < conversations {
            return Err(self.broken("all conversations created"));
        }
        Ok(())
    }

    /// Waits until everybody who is online was shown his conversations: whoever comes to one that goes on already is shown its end only.
    fn await_joined(&mut self) -> Result<(), Failure> {
        let members = |conversation| self.scenario.online_members(conversation).count() as u64;
        let joined: u64 = (0..self.scenario.conversations).map(members).sum();
        if self.wait(|now, _| now.joined >= joined) {
            return Ok(());
        }
        Err(self.broken("all members shown their conversations"))
    }

    /// Why a run cannot be carried out, with what the generators met.
    pub(super) fn broken(&mut self, what: &str) -> Failure {
        let (progress, stall) = (self.snapshot(), self.stall);
        let said = match self.harvest() {
            Ok(tally) => tally.examples.join("\n"),
            Err(failure) => failure.to_string(),
        };
        Failure::timed_out(format!("{what} ({progress:?})\n{said}"), stall)
    }

    /// Waits until nothing has come for so long.
    fn quiet(&mut self, for_so_long: Duration) {
        let (mut last, mut changed) = (0, Instant::now());
        while changed.elapsed() < for_so_long {
            let now = self.snapshot().bytes;
            if now != last {
                (last, changed) = (now, Instant::now());
            }
            self.look();
        }
    }

    /// Lets so many seconds go by.
    pub(super) fn rest(&mut self, seconds: f64) {
        let until_us = self.now_us() + us(seconds);
        while self.now_us() < until_us {
            self.look();
        }
    }

    /// Loads as the scenario says and measures. The load goes on afterwards.
    pub(super) fn measure(&mut self) -> Result<Window, Failure> {
        let begin_us = self.now_us() + START_LEAD_US;
        let from_us = begin_us + us(self.scenario.warm_up_s);
        let to_us = from_us + us(self.scenario.measure_s);
        let (measured, pace) = (from_us..to_us, self.scenario.pace);
        self.begin_phase("warming up");
        self.order(&Order::Load { begin_us, measured, pace, quota: None });
        if self.scenario.slow > 0 {
            self.order(&Order::Stall);
        }
        self.until(from_us)?;
        let beside = self.beside();
        let (begin, usage_begin, begin_at_us) = (self.snapshot(), self.usage(), self.now_us());
        self.begin_phase("measuring");
        self.until(to_us)?;
        let (end, usage_end, end_at_us) = (self.snapshot(), self.usage(), self.now_us());
        for (name, value) in self.beside() {
            let before = beside.get(&name).copied().unwrap_or(0.0);
            self.figures.insert(name, value - before);
        }
        let usages = usage_begin.zip(usage_end);
        Ok(Window {
            seconds: (end_at_us - begin_at_us) as f64 / 1e6,
            sent: end.sent - begin.sent,
            answered: end.answered - begin.answered,
            deliveries: end.deliveries - begin.deliveries,
            bytes: end.bytes - begin.bytes,
            cpu_s: usages.map(|(begin, end)| end.cpu_s() - begin.cpu_s()),
            cpu_user_s: usages.map(|(begin, end)| end.user_s - begin.user_s),
            resident_bytes: usage_end.map(|usage| usage.resident_bytes),
        })
    }

    /// Says what is to be stored before the load begins, as fast as it goes.
    pub(super) fn store(&mut self) -> Result<(), Failure> {
        let stored = self.scenario.stored;
        if stored > 0.0 {
            self.begin_phase("storing");
            let writers: usize =
                (0..self.scenario.conversations).map(|of| self.scenario.writers(of).count()).sum();
            self.say_all(stored * self.scenario.conversations as f64 / writers.max(1) as f64)?;
        }
        Ok(())
    }

    /// Has every writer say so many events in each of his conversations on average, as fast as it goes, and waits until all is everywhere.
    pub(super) fn say_all(&mut self, quota: f64) -> Result<(), Failure> {
        let begin_us = self.now_us();
        let pace = Pace::Saturate { in_flight: 1 };
        self.order(&Order::Load { begin_us, measured: 0..0, pace, quota: Some(quota) });
        let before = self.snapshot().answered;
        let all: usize = (0..self.scenario.conversations).map(|of| self.scenario.writers(of).count()).sum();
        let wanted = (all as f64 * quota) as u64;
        if !self.wait(|now, _| now.answered >= before + wanted && now.pending == 0) {
            return Err(self.broken("all messages said"));
        }
        self.order(&Order::Cease);
        self.wait(|_, lag| lag == Some(0));
        Ok(())
    }

    fn until(&mut self, at_us: u64) -> Result<(), Failure> {
        loop {
            let left_us = at_us.saturating_sub(self.now_us());
            if left_us == 0 {
                return Ok(());
            }
            if self.has_ended() {
                return Err(self.broken("end of the load"));
            }
            if left_us < LOOK.as_micros() as u64 {
                std::thread::sleep(Duration::from_micros(left_us));
            } else {
                self.look();
            }
        }
    }

    /// Waits until everything is answered and everywhere. False when it never is.
    fn settle(&mut self) -> bool {
        self.begin_phase("settling");
        self.order(&Order::Cease);
        let online = self.scenario.online() as u64;
        if self.scenario.slow > 0 || self.scenario.churn > 0.0 {
            // Whoever was let go, or was away just now, comes back; what is on its way to him from before comes first.
            self.quiet(QUIET);
            self.order(&Order::Connect);
            self.order(&Order::Cease);
        }
        let is_settled =
            self.wait(|now, lag| now.pending == 0 && lag == Some(0) && now.live + now.lost >= online);
        if is_settled {
            self.quiet(QUIET);
        }
        is_settled
    }

    /// Ends the generators and puts together what they bring.
    fn harvest(&mut self) -> Result<Tally, Failure> {
        self.order(&Order::Stop);
        let mut tally = Tally::default();
        let mut known: HashMap<Uuid, (u32, u64)> = HashMap::new();
        let may_differ = self.scenario.replays_revised();
        for crew in &mut self.crews {
            for harvest in crew.harvest()? {
                tally.merge(harvest.tally);
                for (id, top, digest) in harvest.digests {
                    let (known_top, known_digest) = *known.entry(id).or_insert((top, digest));
                    // One that saw less has it counted as lost already.
                    if known_top == top && known_digest != digest && !may_differ {
                        tally.counts.conflicts += 1;
                        tally
                            .example(format!("{id}: sessions were sent different messages under one number"));
                    }
                }
            }
        }
        Ok(tally)
    }
}

/// Seconds as microseconds.
pub(super) fn us(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}

/// The address of a URL, and the value of its `Host` header.
fn address(base_url: &str) -> Result<(SocketAddr, String), Failure> {
    let Some(host) = base_url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')) else {
        return Err(Failure::Plan(format!("{base_url} is no http:// address; the load speaks no TLS")));
    };
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let address = with_port.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| Failure::Plan(format!("{host} has no address")))?;
    Ok((address, host.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_http_only() {
        assert_eq!(address("http://127.0.0.1:81/").unwrap().1, "127.0.0.1:81");
        assert_eq!(address("http://127.0.0.1").unwrap().0.port(), 80);
        assert!(address("https://127.0.0.1").is_err());
    }
}
