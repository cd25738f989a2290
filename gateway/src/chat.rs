//! `rill chat`: a terminal client.
//!
//! Owns the start (who, where, with which password), the terminal, and the loop that carries keys, news and events
//! between the parts: `connection` (the socket's thread), `picture` (what is known), `desk` (what the person does),
//! `view` (what is drawn). It speaks the public protocol only and shares no state with the server in this program.

mod backoff;
mod connection;
mod desk;
mod input;
mod login;
mod outbox;
mod password;
mod picture;
mod record;
mod sentence;
mod text;
mod view;

use std::io::stdout;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError, TrySendError};
use std::time::{Duration, Instant};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;

use connection::{Command, Line, Link, News};
use desk::Desk;
use login::{Credentials, LoginError, Pass, Server};
use picture::Picture;

/// How long the loop waits for a key before it looks at the news: short enough that nobody sees it.
const KEY_WAIT: Duration = Duration::from_millis(40);

/// Pens end and countdowns go on without news; drawing this often shows it in time.
const DRAW_AGAIN: Duration = Duration::from_millis(500);

/// What the socket's thread gets to say goodbye; the program ends after it in any case.
const GOODBYE_WAIT: Duration = Duration::from_secs(1);

/// Chat in the terminal.
#[derive(clap::Args)]
pub(crate) struct ChatArgs {
    /// The server's address
    #[arg(long, env = "RILL_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The e-mail address of the account
    #[arg(long)]
    email: String,
    /// The password; asked for when it is given neither here nor in the environment
    #[arg(long, env = "RILL_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// The name that others see, for --register
    #[arg(long)]
    name: Option<String>,
    /// Register the account first when it does not exist
    #[arg(long)]
    register: bool,
}

/// By hand, so that the password gets into no log.
impl std::fmt::Debug for ChatArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatArgs").field("url", &self.url).field("email", &self.email).finish_non_exhaustive()
    }
}

/// Why the client could not start or go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChatError {
    /// `--url` is not of the form that this client can use.
    #[error("{0} is not an address of the form http://host:port")]
    Url(String),
    /// The person gave no password.
    #[error("no password was given")]
    NoPassword,
    /// The server refused the login or the registration; the text is the server's.
    #[error("the server refuses: {0}")]
    Refused(String),
    /// The server could not be asked.
    #[error("the server cannot be asked: {0}")]
    Unreachable(String),
    /// The terminal cannot be used.
    #[error("the terminal: {0}")]
    Terminal(#[from] std::io::Error),
    /// The socket's thread is gone, which it never is by itself.
    #[error("the connection's thread ended")]
    ConnectionGone,
}

impl From<LoginError> for ChatError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Refused(reason) => Self::Refused(reason),
            LoginError::Fault(reason) => Self::Unreachable(reason),
        }
    }
}

/// Runs the client until the person leaves. The terminal is as before when this returns, and after a panic.
pub(crate) fn run(args: ChatArgs) -> Result<(), ChatError> {
    let server = Server::at(&args.url).ok_or_else(|| ChatError::Url(args.url.clone()))?;
    let password = match args.password.clone() {
        Some(password) => password,
        None => password::asked(&format!("Password of {}: ", args.email))?.ok_or(ChatError::NoPassword)?,
    };
    let credentials = Credentials { email: args.email.clone(), password };
    let pass = opened(&server, &credentials, &args)?;
    let mut picture = Picture::new(pass.account_id);
    if let Some(profile) = &pass.profile {
        picture.apply(profile, Instant::now());
    }
    let line = connection::start(server, credentials, pass)?;
    let mut terminal = Screen::open()?;
    let outcome = converse(&mut terminal, &line, &mut picture);
    drop(terminal);
    goodbye(line);
    outcome
}

fn opened(server: &Server, credentials: &Credentials, args: &ChatArgs) -> Result<Pass, ChatError> {
    match server.login(credentials) {
        Err(LoginError::Refused(refusal)) if args.register => {
            let name = args.name.as_deref().unwrap_or(&credentials.email);
            server.register(credentials, name).map_err(|error| match error {
                // Both answers: an account that exists refuses the registration, and the password was wrong.
                LoginError::Refused(reason) => ChatError::Refused(format!("{refusal}; {reason}")),
                LoginError::Fault(reason) => ChatError::Unreachable(reason),
            })
        }
        other => Ok(other?),
    }
}

/// The terminal in its full-screen state; the state before comes back when this is dropped.
struct Screen(ratatui::DefaultTerminal);

impl Screen {
    fn open() -> Result<Self, ChatError> {
        // This also installs a panic hook that restores the terminal before the panic is told.
        let screen = Self(ratatui::try_init()?);
        // A paste then comes as one event, so that its line ends do not send half of it.
        execute!(stdout(), EnableBracketedPaste)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nothing left to do about a terminal that cannot be restored.
        let _ = execute!(stdout(), DisableBracketedPaste);
        let _ = ratatui::try_restore();
    }
}

fn converse(screen: &mut Screen, line: &Line, picture: &mut Picture) -> Result<(), ChatError> {
    let mut desk = Desk::new();
    let mut drawn_at: Option<Instant> = None;
    loop {
        let heard = listen(line, &mut desk, picture)?;
        let now = Instant::now();
        desk.tick(picture, now);
        carry(line, &mut desk)?;
        if heard || drawn_at.is_none_or(|at| now.saturating_duration_since(at) >= DRAW_AGAIN) {
            let mut drawn = desk::Drawn::default();
            screen.0.draw(|frame| drawn = view::draw(frame, &desk, picture, now))?;
            desk.drawn(drawn);
            drawn_at = Some(now);
        }
        // All keys that wait are taken before anything is drawn again: a paste without brackets comes as many of them.
        let mut wait = KEY_WAIT;
        while crossterm::event::poll(wait)? {
            wait = Duration::ZERO;
            drawn_at = None;
            let action = input::action(&crossterm::event::read()?);
            if action.is_some_and(|action| !desk.act(action, picture, Instant::now())) {
                carry(line, &mut desk)?;
                return Ok(());
            }
        }
    }
}

/// Takes in what the connection has told. True when there was anything.
fn listen(line: &Line, desk: &mut Desk, picture: &mut Picture) -> Result<bool, ChatError> {
    let mut heard = false;
    loop {
        let news = match line.news.try_recv() {
            Ok(news) => news,
            Err(TryRecvError::Empty) => return Ok(heard),
            Err(TryRecvError::Disconnected) => return Err(ChatError::ConnectionGone),
        };
        heard = true;
        match news {
            News::Link(link) => {
                if !matches!(link, Link::Syncing(_) | Link::Live) {
                    picture.forget_fleeting();
                }
                desk.link_changed(link);
            }
            News::Frame(frame) => {
                let now = Instant::now();
                frame.stream.iter().for_each(|record| picture.apply(record, now));
                frame.requests.iter().for_each(|request| desk.answered(request, &frame.stream));
                desk.event_horizon = frame.event_horizon.unwrap_or(desk.event_horizon);
            }
            News::GivenUp(ids, reason) => desk.given_up(&ids, &reason),
        }
    }
}

/// Hands the desk's events to the connection.
fn carry(line: &Line, desk: &mut Desk) -> Result<(), ChatError> {
    for outgoing in desk.take_out() {
        match line.commands.try_send(Command::Store(outgoing)) {
            Ok(()) => {}
            Err(TrySendError::Full(Command::Store(outgoing))) => {
                desk.given_up(&[outgoing.id], "Too much waits to be sent.");
            }
            Err(TrySendError::Full(Command::Leave)) => {}
            Err(TrySendError::Disconnected(_)) => return Err(ChatError::ConnectionGone),
        }
    }
    Ok(())
}

fn goodbye(line: Line) {
    // A full channel is as good a goodbye: the thread sees its end close once `line` is gone.
    let _ = line.commands.try_send(Command::Leave);
    let until = Instant::now() + GOODBYE_WAIT;
    loop {
        match line.news.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}
