//! Sends letters: to a mail server, or into files, so that every flow can be followed without one.
//!
//! Not here: when a letter is tried again and when it is given up (`rill_actors::post`), and its words (`mail/words.rs`).

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, SmtpTransport, Transport};
use rill_actors::letter::Letter;
use rill_actors::outside::{Mail, Outcome, Undelivered};

use crate::config::Config;

mod words;

/// How long a mail server may take for each of its answers. Some look their senders up first.
const SMTP_WAIT: Duration = Duration::from_secs(30);

/// The folder for letters, below that of the store.
const FOLDER: &str = "mail";

/// What stands in front of the sender's address.
const SENDER_NAME: &str = "Rill";

/// Why there can be no mail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailError {
    /// The setting is no address.
    #[error("setting mail_from: '{0}' is not of the form name@host")]
    From(String),
    /// The setting is no mail server.
    #[error(
        "setting smtp: it is of the form smtp://host:port, smtp://host?tls=required or smtps://user:password@host"
    )]
    Server,
    /// The folder cannot be made.
    #[error("cannot make {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Where letters go.
enum Way {
    /// Files of this folder.
    Folder(PathBuf),
    /// A mail server.
    Server(Box<SmtpTransport>),
}

/// The sender of all letters.
pub(crate) struct Sender {
    from: Mailbox,
    mail_host: String,
    public_url: String,
    way: Arc<Way>,
}

impl Sender {
    /// As the settings say.
    pub(crate) fn new(config: &Config) -> Result<Self, MailError> {
        // A mail server that is told a bare address of the network refuses it.
        let mail_host =
            Some(config.mail_host()).filter(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().is_err());
        let mail_host = mail_host.unwrap_or_else(|| "localhost".to_owned());
        let address = if config.mail_from.is_empty() {
            format!("noreply@{mail_host}")
        } else {
            config.mail_from.clone()
        };
        let address: Address = address.parse().map_err(|_| MailError::From(address))?;
        let way = if config.smtp.is_empty() {
            let folder = config.data.join(FOLDER);
            std::fs::create_dir_all(&folder)
                .map_err(|source| MailError::Folder { folder: folder.clone(), source })?;
            Way::Folder(folder)
        } else {
            let server = SmtpTransport::from_url(&config.smtp).map_err(|_| MailError::Server)?;
            let server = server.hello_name(ClientId::Domain(mail_host.clone())).timeout(Some(SMTP_WAIT));
            Way::Server(Box::new(server.build()))
        };
        let from = Mailbox::new(Some(SENDER_NAME.to_owned()), address);
        Ok(Self { from, mail_host, public_url: config.public_url(), way: Arc::new(way) })
    }

    fn compose(&self, letter: &Letter) -> Result<Message, Undelivered> {
        let never = |reason: &str| Undelivered { is_final: true, reason: reason.to_owned() };
        let to: Address = letter.to.parse().map_err(|_| never("the address is none for mail"))?;
        let words = words::of(&letter.about, &self.public_url);
        let written = Duration::from_secs(u64::try_from(letter.written).unwrap_or(0));
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .date(SystemTime::UNIX_EPOCH + written)
            .message_id(Some(format!("<{}@{}>", letter.id, self.mail_host)))
            .subject(words.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(words.text)
            .map_err(|_| never("the letter cannot be put into the form of a mail"))
    }
}

impl Mail for Sender {
    fn deliver(&self, letter: Letter) -> Outcome<Result<(), Undelivered>> {
        let message = self.compose(&letter);
        let way = Arc::clone(&self.way);
        Box::pin(async move {
            let message = message?;
            let handed = tokio::task::spawn_blocking(move || match &*way {
                Way::Folder(folder) => put_down(folder, &letter, &message),
                Way::Server(server) => hand_over(server, &message),
            });
            let ended = |_| Undelivered { is_final: false, reason: "the server is about to stop".to_owned() };
            handed.await.map_err(ended)?
        })
    }
}

/// Writes a letter into a file of its own. One that comes again replaces itself.
fn put_down(folder: &Path, letter: &Letter, message: &Message) -> Result<(), Undelivered> {
    let path = folder.join(format!("{}-{}.eml", letter.written, letter.id));
    let unfinished = path.with_extension("part");
    let write = || {
        let mut file = std::fs::File::create(&unfinished)?;
        file.write_all(&message.formatted())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    let fault = |error: std::io::Error| Undelivered { is_final: false, reason: error.to_string() };
    write().map_err(fault)
}

fn hand_over(server: &SmtpTransport, message: &Message) -> Result<(), Undelivered> {
    let refused = |error: lettre::transport::smtp::Error| {
        // What a mail server says may hold the address.
        let reason = match error.status() {
            Some(code) => format!("the mail server answered {code}"),
            None => error.to_string(),
        };
        Undelivered { is_final: error.is_permanent(), reason }
    };
    server.send(message).map(|_| ()).map_err(refused)
}

#[cfg(test)]
mod tests {
    use rill_actors::letter::About;
    use uuid::Uuid;

    use super::*;
    use crate::config::Flags;

    fn config(change: impl FnOnce(&mut Flags)) -> (tempfile::TempDir, Config) {
        let folder = tempfile::tempdir().unwrap();
        let mut flags = Flags {
            data: Some(folder.path().to_owned()),
            public_url: Some("https://chat.example.org".to_owned()),
            ..Flags::default()
        };
        change(&mut flags);
        (folder, Config::read(flags).unwrap())
    }

    fn letter(to: &str) -> Letter {
        let about = About::Code { code: "012345".to_owned() };
        Letter { id: Uuid::from_u128(7), to: to.to_owned(), written: 1_500_000_000, about }
    }

    #[actix_web::test]
    async fn a_letter_is_a_file_and_stays_one_when_it_comes_again() {
        let (folder, config) = config(|_| {});
        let sender = Sender::new(&config).unwrap();
        for _ in 0..2 {
            sender.deliver(letter("ada@example.org")).await.unwrap();
        }
        let files: Vec<_> = std::fs::read_dir(folder.path().join(FOLDER)).unwrap().collect();
        assert_eq!(files.len(), 1);
        let text = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
        for line in [
            "From: Rill <noreply@chat.example.org>",
            "To: ada@example.org",
            "Subject: Rill confirmation code: 012-345",
            "Message-ID: <00000000-0000-0000-0000-000000000007@chat.example.org>",
            "Date: Fri, 14 Jul 2017 02:40:00 +0000",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
    }

    #[actix_web::test]
    async fn what_is_no_address_for_mail_is_given_up_and_a_server_that_is_away_is_not() {
        let (_folder, files) = config(|_| {});
        let refused = Sender::new(&files).unwrap().deliver(letter("ada@")).await.unwrap_err();
        assert!(refused.is_final);
        // Nothing listens on the discard port.
        let (_folder, away) = config(|flags| flags.smtp = Some("smtp://127.0.0.1:9".to_owned()));
        let refused = Sender::new(&away).unwrap().deliver(letter("ada@example.org")).await.unwrap_err();
        assert!(!refused.is_final, "{refused}");
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let (_folder, wrong) = config(|flags| flags.mail_from = Some("nobody".to_owned()));
        assert!(matches!(Sender::new(&wrong), Err(MailError::From(_))));
        let (_folder, wrong) = config(|flags| flags.smtp = Some("ftp://x".to_owned()));
        assert!(matches!(Sender::new(&wrong), Err(MailError::Server)));
    }
}
