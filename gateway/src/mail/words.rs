//! What letters say. The subject of a code ends with a colon, a blank and the code: clients cut it out there
//! (protocol.md §1.3).

use rill_actors::letter::About;

/// A letter's words.
pub(super) struct Words {
    pub(super) subject: String,
    pub(super) text: String,
}

/// The words of a letter; its links lead to this server, as it is called from outside.
pub(super) fn of(about: &About, public_url: &str) -> Words {
    let link = |page: &str, key: &str, secret: &str| format!("{public_url}/{page}?{key}={secret}");
    let (subject, text) = match about {
        About::Code { code } => {
            let (head, tail) = code.split_at(code.len() / 2);
            let code = format!("{head}-{tail}");
            let text =
                format!("Your confirmation code is {code}.\n\nType it in where you began to register.");
            (format!("Rill confirmation code: {code}"), text)
        }
        About::Confirm { notification_id } => {
            let link = link("confirm", "notification_id", notification_id);
            ("Confirm your address".to_owned(), format!("Follow this link to finish registering:\n\n{link}"))
        }
        About::Welcome { display_name } => {
            let text = format!("Welcome, {}.\n\nYour account is ready: {public_url}/", line(display_name));
            ("Welcome".to_owned(), text)
        }
        About::Reset { notification_id } => {
            let link = link("reset", "notification_id", notification_id);
            let text = format!("Follow this link within a day to set a new password:\n\n{link}");
            ("Set a new password".to_owned(), text)
        }
        About::Close { notification_id } => {
            let link = link("close", "notification_id", notification_id);
            let text = format!(
                "This link closes your account for good, as soon as it is opened. It is good for a day:\n\n{link}"
            );
            ("Close your account".to_owned(), text)
        }
        About::Invitation { notification_id, by } => {
            let link = link("invite", "notification_id", notification_id);
            let text = format!(
                "{} has added you to a conversation.\n\nFollow this link to register and to take part:\n\n{link}",
                line(by)
            );
            (format!("{} has invited you", line(by)), text)
        }
        About::Employment { notification_id, by, organisation_name } => {
            let (by, name) = (line(by), line(organisation_name));
            let how = match notification_id {
                Some(id) => {
                    let link = link("invite", "notification_id", id);
                    format!("Follow this link to register and to join:\n\n{link}")
                }
                None => format!("Log in to answer: {public_url}/"),
            };
            (
                format!("{by} has invited you into {name}"),
                format!("{by} has invited you into {name}.\n\n{how}"),
            )
        }
        About::Discharge { organisation_name, is_closed } => discharge(&line(organisation_name), *is_closed),
        About::Password { organisation_name } => {
            let text = format!(
                "An admin of {} has set a new password for your account, and all of its sessions have ended.",
                line(organisation_name)
            );
            ("Your password was changed".to_owned(), text)
        }
        About::Alias { notification_id, display_name } => {
            let link = link("alias", "confirm_id", notification_id);
            let text = format!(
                "{} says that this address is theirs as well. Follow this link if it is so:\n\n{link}",
                line(display_name)
            );
            ("Confirm another address".to_owned(), text)
        }
    };
    let footer = "If you do not know what this is about, leave it alone: nothing happens then.";
    Words { subject, text: format!("{text}\n\n{footer}\n") }
}

/// Somebody is in an organisation no more.
fn discharge(name: &str, is_closed: bool) -> (String, String) {
    let text = if is_closed {
        format!("An admin of {name} has closed your account.")
    } else {
        format!("You are no longer in {name}. Your account goes on as a free one.")
    };
    (format!("You are no longer in {name}"), text)
}

/// A name, in one line: what somebody calls himself must not become part of a mail's form.
fn line(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if name.trim().is_empty() { "Somebody".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_here_and_names_stay_in_their_line() {
        let about = About::Invitation {
            notification_id: "abc".to_owned(),
            by: "Ada\r\nBcc: everybody@example.org".to_owned(),
        };
        let words = of(&about, "https://chat.example.org");
        assert!(
            words.text.contains("https://chat.example.org/invite?notification_id=abc\n"),
            "{}",
            words.text
        );
        assert!(!words.subject.contains(['\r', '\n']));
    }
}
