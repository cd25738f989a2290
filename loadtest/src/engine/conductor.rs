//! The conductor: brings a load from connecting to the verdict, and looks at the server meanwhile.
//!
//! Owns: the order of the phases and the measured window. Not here: the generators' work ([`super::generator`]), where the accounts come
//! from ([`crate::fleet`]).

use super::generator::Generator;
use super::shared::{Founding, Harvest, Order, Shared, Snapshot};
use super::tally::Tally;
use crate::failure::Failure;
use crate::fleet::Account;
use crate::outcome::{Moment, Outcome, Window};
use crate::process::Usage;
use crate::scenario::Scenario;
use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often the run is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How often a moment is kept for the curves over time.
const MOMENT: Duration = Duration::from_millis(500);

/// Between the order and the first event that is due, so that every generator stands ready.
const START_LEAD_US: u64 = 100_000;

/// Nothing may have come for so long before a run counts as settled: what is doubled or late follows within milliseconds.
const QUIET: Duration = Duration::from_millis(500);

/// Whom to load.
#[derive(Debug, Clone)]
pub struct Aim {
    /// What it is called in reports.
    pub name: String,
    /// Where it listens, as `http://HOST:PORT`.
    pub base_url: String,
    /// Its process, when it runs on this machine.
    pub pid: Option<u32>,
}

/// How to load it.
#[derive(Debug, Clone)]
pub struct Means {
    /// An account for each session of the scenario.
    pub accounts: Arc<Vec<Account>>,
    /// Threads that carry the sessions.
    pub generators: usize,
    /// How long nothing may happen before what is missing counts as lost.
    pub stall: Duration,
}

/// Whoever is shown how a run goes: the phase, and the last moment.
pub type Watch<'a> = dyn FnMut(&str, &Moment) + 'a;

/// Carries the scenario out and judges the outcome.
pub fn run(scenario: &Scenario, aim: &Aim, means: &Means, watch: &mut Watch<'_>) -> Result<Outcome, Failure> {
    scenario.check()?;
    if means.accounts.len() < scenario.sessions() || means.generators == 0 {
        return Err(Failure::Plan(format!("{} accounts and a generator are needed", scenario.sessions())));
    }
    let mut conductor = Conductor::raise(scenario, aim, means)?;
    let idle = conductor.usage();
    conductor.connect(watch)?;
    let connected = conductor.usage();
    let window = conductor.load(watch)?;
    let is_settled = conductor.settle(watch);
    let series = std::mem::take(&mut conductor.series);
    let tally = conductor.harvest()?;
    Ok(Outcome {
        scenario: scenario.clone(),
        target: aim.name.clone(),
        generators: means.generators,
        is_settled,
        idle,
        connected,
        window,
        tally,
        series,
    })
}

struct Conductor<'a> {
    shared: Arc<Shared>,
    aim: &'a Aim,
    stall: Duration,
    orders: Vec<Sender<Order>>,
    threads: Vec<JoinHandle<Result<Harvest, Failure>>>,
    begun: Instant,
    kept: Instant,
    series: Vec<Moment>,
}

impl<'a> Conductor<'a> {
    fn raise(scenario: &Scenario, aim: &'a Aim, means: &Means) -> Result<Self, Failure> {
        let (server, host) = address(&aim.base_url)?;
        let founding = Founding {
            scenario: scenario.clone(),
            accounts: Arc::clone(&means.accounts),
            server,
            host,
            run_key: Uuid::new_v4().as_u64_pair().1,
            generators: means.generators as u32,
        };
        let shared = Arc::new(Shared::new(founding));
        let (mut orders, mut threads) = (Vec::new(), Vec::new());
        for index in 0..means.generators {
            let share = share(scenario.online(), means.generators, index);
            let (order, ordered) = channel();
            let generator = Generator::new(Arc::clone(&shared), index as u32, share, ordered)?;
            orders.push(order);
            threads.push(std::thread::spawn(move || generator.run()));
        }
        let begun = Instant::now();
        Ok(Self { shared, aim, stall: means.stall, orders, threads, begun, kept: begun, series: Vec::new() })
    }

    fn order(&self, order: &Order) {
        for to in &self.orders {
            // A generator that is gone tells why when it is joined.
            let _ = to.send(order.clone());
        }
    }

    fn usage(&self) -> Option<Usage> {
        self.aim.pid.and_then(|pid| Usage::of(pid).ok())
    }

    fn look(&mut self, phase: &str, watch: &mut Watch<'_>) {
        std::thread::sleep(LOOK);
        if self.kept.elapsed() < MOMENT && !self.series.is_empty() {
            return;
        }
        self.kept = Instant::now();
        let recent = self.shared.take_recent();
        let moment = Moment {
            at_s: self.begun.elapsed().as_secs_f64(),
            phase: phase.to_owned(),
            progress: self.shared.progress.snapshot(),
            usage: self.usage(),
            p50_us: recent.percentile(50.0),
            p99_us: recent.percentile(99.0),
        };
        watch(phase, &moment);
        self.series.push(moment);
    }

    /// Waits until `is_done`, or until nothing has changed for the stall time: false then.
    fn wait(
        &mut self,
        phase: &str,
        watch: &mut Watch<'_>,
        is_done: impl Fn(&Shared, &Snapshot) -> bool,
    ) -> bool {
        let (mut last, mut changed) = (Snapshot::default(), Instant::now());
        loop {
            let now = self.shared.progress.snapshot();
            if is_done(&self.shared, &now) {
                return true;
            }
            if now != last {
                (last, changed) = (now, Instant::now());
            }
            if changed.elapsed() > self.stall || self.threads.iter().any(JoinHandle::is_finished) {
                return false;
            }
            self.look(phase, watch);
        }
    }

    fn connect(&mut self, watch: &mut Watch<'_>) -> Result<(), Failure> {
        let (online, conversations) =
            (self.shared.scenario.online() as u64, self.shared.scenario.conversations as u64);
        self.order(&Order::Connect);
        if !self.wait("connecting", watch, |_, now| now.live + now.lost >= online) {
            return Err(self.broken("all sessions in sync"));
        }
        self.order(&Order::Create);
        let is_created = |_: &Shared, now: &Snapshot| now.created + now.refused >= conversations;
        if !self.wait("creating", watch, is_created)
            || self.shared.progress.snapshot().created < conversations
        {
            return Err(self.broken("all conversations created"));
        }
        self.quiet("creating", watch);
        Ok(())
    }

    /// Why a run cannot be carried out, with what the generators met.
    fn broken(&mut self, what: &str) -> Failure {
        let progress = self.shared.progress.snapshot();
        let stall = self.stall;
        let said = match self.harvest() {
            Ok(tally) => tally.examples.join("\n"),
            Err(failure) => failure.to_string(),
        };
        Failure::timed_out(format!("{what} ({progress:?})\n{said}"), stall)
    }

    /// Waits until nothing has come for a little while.
    fn quiet(&mut self, phase: &str, watch: &mut Watch<'_>) {
        let (mut last, mut changed) = (0, Instant::now());
        while changed.elapsed() < QUIET {
            let now = self.shared.progress.snapshot().bytes;
            if now != last {
                (last, changed) = (now, Instant::now());
            }
            self.look(phase, watch);
        }
    }

    fn load(&mut self, watch: &mut Watch<'_>) -> Result<Window, Failure> {
        let scenario = self.shared.scenario.clone();
        let us = |seconds: f64| (seconds * 1e6) as u64;
        let begin_us = self.shared.clock.now_us() + START_LEAD_US;
        let from_us = begin_us + us(scenario.warm_up_s);
        let to_us = from_us + us(scenario.measure_s);
        self.order(&Order::Load { begin_us, measured: from_us..to_us });
        self.until(from_us, "warming up", watch)?;
        let (begin, usage_begin, begin_at_us) =
            (self.shared.progress.snapshot(), self.usage(), self.shared.clock.now_us());
        self.until(to_us, "measuring", watch)?;
        let (end, usage_end, end_at_us) =
            (self.shared.progress.snapshot(), self.usage(), self.shared.clock.now_us());
        self.shared.forget_lags();
        self.order(&Order::Cease);
        Ok(Window {
            seconds: (end_at_us - begin_at_us) as f64 / 1e6,
            sent: end.sent - begin.sent,
            answered: end.answered - begin.answered,
            deliveries: end.deliveries - begin.deliveries,
            bytes: end.bytes - begin.bytes,
            cpu_s: usage_begin.zip(usage_end).map(|(begin, end)| end.cpu_s() - begin.cpu_s()),
            cpu_user_s: usage_begin.zip(usage_end).map(|(begin, end)| end.user_s - begin.user_s),
            resident_bytes: usage_end.map(|usage| usage.resident_bytes),
        })
    }

    fn until(&mut self, at_us: u64, phase: &str, watch: &mut Watch<'_>) -> Result<(), Failure> {
        loop {
            let left_us = at_us.saturating_sub(self.shared.clock.now_us());
            if left_us == 0 {
                return Ok(());
            }
            if self.threads.iter().any(JoinHandle::is_finished) {
                return Err(self.broken("end of the load"));
            }
            if left_us < LOOK.as_micros() as u64 {
                std::thread::sleep(Duration::from_micros(left_us));
            } else {
                self.look(phase, watch);
            }
        }
    }

    /// Waits until everything is answered and everywhere. False when it never is.
    fn settle(&mut self, watch: &mut Watch<'_>) -> bool {
        let generators = self.orders.len();
        let is_settled = self.wait("settling", watch, |shared, now| {
            now.pending == 0 && shared.lag(generators).is_some_and(|lag| lag == 0)
        });
        if is_settled {
            self.quiet("settling", watch);
        }
        is_settled
    }

    /// Ends the generators and puts together what they bring.
    fn harvest(&mut self) -> Result<Tally, Failure> {
        self.order(&Order::Stop);
        let mut tally = Tally::default();
        let mut known: HashMap<Uuid, (u32, u64)> = HashMap::new();
        for thread in std::mem::take(&mut self.threads) {
            let harvest =
                thread.join().map_err(|_| Failure::Broken("a generator's thread panicked".into()))??;
            tally.merge(harvest.tally);
            for (id, top, digest) in harvest.digests {
                let (known_top, known_digest) = *known.entry(id).or_insert((top, digest));
                // One that saw less has it counted as lost already.
                if known_top == top && known_digest != digest {
                    tally.counts.conflicts += 1;
                    tally.example(format!("{id}: sessions were sent different messages under one number"));
                }
            }
        }
        Ok(tally)
    }
}

/// The sessions of one generator: neighbours, so that most conversations lie within one.
fn share(sessions: usize, generators: usize, index: usize) -> std::ops::Range<usize> {
    sessions * index / generators..sessions * (index + 1) / generators
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
    fn shares_are_neighbours_and_cover_all() {
        let shares: Vec<_> = (0..3).map(|index| share(10, 3, index)).collect();
        assert_eq!(shares, [0..3, 3..6, 6..10]);
        assert_eq!(share(1, 2, 0).len() + share(1, 2, 1).len(), 1);
    }

    #[test]
    fn addresses_are_http_only() {
        assert_eq!(address("http://127.0.0.1:81/").unwrap().1, "127.0.0.1:81");
        assert_eq!(address("http://127.0.0.1").unwrap().0.port(), 80);
        assert!(address("https://127.0.0.1").is_err());
    }
}
