//! The load: many sessions, many conversations, and a plan of who writes what and when, fixed in advance.
//!
//! Owns: the plan and the run from registration to report. Not here: the sockets' readers ([`reader`]), what is counted and judged
//! ([`ledger`]).

pub mod ledger;
mod reader;
mod wire;

use crate::failure::Failure;
use crate::report::{Latency, REPORT_SCHEMA, Report};
use crate::socket::Socket;
use crate::user::User;
use ledger::Verdict;
use reader::{Harvest, Reader, Shared, Start};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// How often the run is looked at from outside. It ends no more than this later than it could.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// How often a progress line is given.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Time between the last conversation's creation and the first message, so that every reader stands ready.
const START_LEAD: Duration = Duration::from_millis(200);

/// How long is listened for surplus deliveries at the end: a doubled record follows its first copy within milliseconds.
const SURPLUS_WAIT: Duration = Duration::from_millis(250);

/// How the accounts come to be.
#[derive(Debug, Clone)]
pub enum Registration {
    /// By `account/register`, which the server must allow.
    Open,
    /// By `sys/account/register`.
    Provisioned {
        /// The value of the `Authorization` header ([`crate::user::basic_auth`]).
        basic: String,
    },
}

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server, as `http://HOST:PORT`.
    pub base_url: String,
    /// Sessions, each of an account of its own.
    pub sessions: usize,
    /// Conversations to be created.
    pub conversations: usize,
    /// Members of each, at most as many as there are sessions.
    pub members: usize,
    /// Messages in each conversation, written by its members in turn.
    pub messages: usize,
    /// Messages a second over all conversations, at times fixed in advance. Without it every session sends its next message when its last
    /// one is answered.
    pub rate: Option<f64>,
    /// What distinguishes this run's texts from an earlier run's: letters and digits, never used before.
    pub run: String,
    /// What the accounts' addresses begin with; an earlier run's prefix uses its accounts again.
    pub prefix: String,
    /// The password of every account.
    pub password: String,
    /// How the accounts come to be.
    pub registration: Registration,
    /// Threads that register and log in. Few: each login costs the server tens of milliseconds of hashing.
    pub registrars: usize,
    /// Threads that read and write the sockets.
    pub readers: usize,
    /// How long nothing may happen before what is missing counts as lost.
    pub stall: Duration,
}

impl Plan {
    /// The session of a conversation's member. Neighbouring conversations have neighbouring members, so that all sessions are used.
    #[must_use]
    pub fn session_of(&self, conversation: usize, member: usize) -> usize {
        (conversation * self.members + member) % self.sessions
    }

    /// All messages of the run.
    #[must_use]
    pub fn messages_total(&self) -> usize {
        self.conversations * self.messages
    }

    /// The conversation of a message of the run: they take turns.
    #[must_use]
    pub fn conversation_of(&self, sequence: usize) -> usize {
        sequence % self.conversations
    }

    /// The session that writes a message of the run: a conversation's members take turns.
    #[must_use]
    pub fn author_of(&self, sequence: usize) -> usize {
        self.session_of(self.conversation_of(sequence), (sequence / self.conversations) % self.members)
    }

    fn check(&self) -> Result<(), Failure> {
        let is_sound = self.sessions > 0
            && self.conversations > 0
            && self.messages_total() < ledger::SEQUENCE_MAX as usize
            && (1..=self.sessions).contains(&self.members)
            && self.rate.is_none_or(|rate| rate > 0.0)
            && self.registrars > 0
            && self.readers > 0;
        if is_sound {
            return Ok(());
        }
        let wanted = "it wants sessions, conversations, members, threads and rate above 0, members no more than sessions";
        Err(Failure::Plan(wanted.into()))
    }
}

/// Carries the plan out and judges the outcome. `progress` is given a line now and then.
pub fn run(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Report, Failure> {
    plan.check()?;
    let sockets = connect_all(plan, progress)?;
    let accounts =
        sockets.iter().map(|socket| crate::session::Session::user(socket).account_id.clone()).collect();
    let shared = Arc::new(Shared::new(plan.clone(), accounts));
    let mut shares: Vec<Vec<(usize, Socket)>> = (0..plan.readers).map(|_| Vec::new()).collect();
    for (index, socket) in sockets.into_iter().enumerate() {
        shares[index % plan.readers].push((index, socket));
    }
    let mut threads = Vec::new();
    for share in shares {
        let reader = Reader::new(Arc::clone(&shared), share)?;
        threads.push(std::thread::spawn(move || reader.run()));
    }
    let created = watch(&shared, progress, "conversations created", |shared| {
        shared.created.load(Ordering::Relaxed) == shared.plan.conversations
    });
    if created {
        let begin = Instant::now() + START_LEAD;
        let start = Start { conversation_ids: shared.conversation_ids(), begin };
        // Only this thread sets it, once.
        drop(shared.start.set(start));
        watch(&shared, progress, "deliveries", Shared::is_settled);
        // What comes although nothing is missing any more is what must not come: a little while is given to it.
        std::thread::sleep(SURPLUS_WAIT);
    }
    shared.stop.store(true, Ordering::Relaxed);
    let mut harvest = Harvest::default();
    for thread in threads {
        match thread.join() {
            Ok(part) => harvest.merge(part?),
            Err(_) => return Err(Failure::Broken("a reader thread panicked".into())),
        }
    }
    if !created {
        let refusals = harvest.refusals.join("\n");
        return Err(Failure::timed_out(format!("creation of all conversations; {refusals}"), plan.stall));
    }
    Ok(report(plan, &shared.conversation_ids(), &harvest))
}

fn report(plan: &Plan, conversation_ids: &[String], harvest: &Harvest) -> Report {
    let seconds = Duration::from_micros(harvest.last_us.max(1)).as_secs_f64();
    let verdict = Verdict::of(plan, conversation_ids, &harvest.ledgers, &harvest.answered);
    Report {
        schema_version: REPORT_SCHEMA,
        sessions: plan.sessions,
        conversations: plan.conversations,
        members: plan.members,
        rate_intended: plan.rate,
        sent: harvest.sent,
        answered: harvest.answered.len() as u64,
        refused: harvest.refusals.len() as u64,
        unanswered: harvest.unanswered,
        disconnected: harvest.disconnects.len() as u64,
        deliveries: verdict.deliveries,
        repeats: verdict.repeats,
        gaps: verdict.gaps,
        doubles: verdict.doubles,
        reorders: verdict.reorders,
        missing: verdict.missing,
        seconds,
        messages_per_second: harvest.answered.len() as f64 / seconds,
        deliveries_per_second: verdict.deliveries as f64 / seconds,
        answer: Latency::of(&harvest.answer_us),
        delivery: Latency::of(&harvest.delivery_us),
        lateness: Latency::of(&harvest.late_us),
        examples: verdict.examples.into_iter().chain(harvest.examples()).collect(),
    }
}

/// Waits until `is_done`, or until nothing has changed for the plan's stall time: false then.
fn watch(
    shared: &Shared,
    progress: &mut dyn FnMut(&str),
    what: &str,
    is_done: impl Fn(&Shared) -> bool,
) -> bool {
    let (mut last, mut changed, mut told) = (shared.progress(), Instant::now(), Instant::now());
    while !is_done(shared) {
        let now = shared.progress();
        // Before the first message is due nothing can happen, so the wait for it is not counted.
        let is_under_way = shared.start.get().is_none_or(|start| start.begin <= Instant::now());
        if now != last || !is_under_way {
            (last, changed) = (now, Instant::now());
        }
        if changed.elapsed() > shared.plan.stall {
            progress(&format!("{what}: nothing more came within {:?}", shared.plan.stall));
            return false;
        }
        if told.elapsed() > PROGRESS_INTERVAL {
            told = Instant::now();
            let [created, sent, answered, delivered] = now;
            progress(&format!(
                "{what}: {created} created, {sent} sent, {answered} answered, {delivered} delivered"
            ));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    true
}

/// Registers, logs in and connects every session, by few threads.
fn connect_all(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Vec<Socket>, Failure> {
    let next = AtomicUsize::new(0);
    let (done, connected) = mpsc::channel();
    let mut sockets: Vec<Option<Socket>> = (0..plan.sessions).map(|_| None).collect();
    std::thread::scope(|scope| {
        for _ in 0..plan.registrars {
            let (next, done) = (&next, done.clone());
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    // The receiver is gone after the first failure: the others stop then.
                    if index >= plan.sessions || done.send((index, connect(plan, index))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let (mut count, mut told) = (0, Instant::now());
        let mut outcome = Ok(());
        for (index, socket) in connected {
            match socket {
                Ok(socket) => sockets[index] = Some(socket),
                Err(failure) => {
                    outcome = Err(failure);
                    break;
                }
            }
            count += 1;
            if told.elapsed() > PROGRESS_INTERVAL {
                told = Instant::now();
                progress(&format!("connected {count} of {} sessions", plan.sessions));
            }
        }
        outcome
    })?;
    progress(&format!("connected {} sessions", plan.sessions));
    Ok(sockets.into_iter().flatten().collect())
}

fn connect(plan: &Plan, index: usize) -> Result<Socket, Failure> {
    let email = format!("{}-{index}@load.example.com", plan.prefix);
    let name = format!("Load {index}");
    let registered = match &plan.registration {
        Registration::Open => User::register(&plan.base_url, &email, &plan.password, &name),
        Registration::Provisioned { basic } => {
            User::provision(&plan.base_url, basic, &email, &plan.password, &name)
        }
    };
    let user = match registered {
        // 43x is the family of "cannot be": the address is taken by an earlier run's account.
        Err(Failure::Http { status: 430..=439, .. }) => User::login(&plan.base_url, &email, &plan.password)?,
        other => other?,
    };
    user.connect(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn plan(sessions: usize, conversations: usize, members: usize, messages: usize) -> Plan {
        Plan {
            base_url: String::new(),
            sessions,
            conversations,
            members,
            messages,
            rate: None,
            run: "r".into(),
            prefix: "t".into(),
            password: String::new(),
            registration: Registration::Open,
            registrars: 1,
            readers: 1,
            stall: Duration::from_secs(1),
        }
    }

    #[test]
    fn every_member_writes_in_turn_and_only_in_his_conversation() {
        let plan = plan(5, 3, 2, 4);
        for sequence in 0..plan.messages_total() {
            let conversation = plan.conversation_of(sequence);
            let members: Vec<usize> = (0..2).map(|member| plan.session_of(conversation, member)).collect();
            assert_eq!(plan.author_of(sequence), members[(sequence / 3) % 2]);
        }
        assert!(plan.check().is_ok());
        assert!(Plan { members: 6, ..plan }.check().is_err());
    }
}
