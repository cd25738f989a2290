//! The older calls on contacts (protocol.md §6.1).
//!
//! Not here: which call each of these is (that is in the table, [`super::legacy`]).

use serde_json::{Value, json};

use super::legacy::{Form, Given, Plan, Planned, Step, Wanted};
use crate::refuse::Refused;

/// How many people one call looks up or shows: each is asked for by itself. As many as one call adds to a conversation.
const PEOPLE_MAX: usize = 100;

fn event<'a>(given: &'a Given, urn: &'static str) -> Step<'a> {
    Step::new(given, urn, None)
}

/// An event on the contact that the call names.
pub(super) fn on_contact<'a>(given: &'a Given, urn: &'static str) -> Step<'a> {
    event(given, urn).takes_as("contact_id", "account_id")
}

/// `contact/describe`: what the caller alone calls somebody, and his own note of a number.
pub(super) fn describe(given: &Given) -> Planned<'_> {
    let name = given
        .has("contact_name")
        .then(|| on_contact(given, "contact:set_name").takes_as("contact_name", "name"));
    let phone_nr = given.has("phone_nr").then(|| on_contact(given, "contact:set_phone").takes(&["phone_nr"]));
    let mut steps: Vec<Step<'_>> = name.into_iter().chain(phone_nr).collect();
    if steps.is_empty() {
        steps.push(on_contact(given, "contact:get"));
    }
    Ok(Plan::from(steps).answered(Form::Contact))
}

/// `contact/hide`.
pub(super) fn hide(given: &Given) -> Planned<'_> {
    let ids = given.ids("contacts")?;
    let step = event(given, "contact:hide_contacts").takes_as("contacts", "account_ids");
    Ok(Plan::from(step).answered(Form::Ids(ids)))
}

/// `contact/import`: an address book, in which an address may stand with a name as in a `To:` line.
pub(super) fn import(given: &Given) -> Planned<'_> {
    let wrong = || Refused::bad_request("contact_list: a list of objects with addr_full is needed.");
    let list = given.value("contact_list").and_then(Value::as_array).ok_or_else(wrong)?;
    let contact = |entry: &Value| {
        let line = entry["addr_full"].as_str()?;
        let (said, address) = named(line);
        let name = entry["addr_descr"].as_str().filter(|name| !name.trim().is_empty()).or(said);
        Some(json!({ "email": address, "name": name, "phone_nr": entry["phone_nr"].as_str() }))
    };
    let contacts: Option<Vec<Value>> = list.iter().map(contact).collect();
    let step = event(given, "contact:import").with("contacts", contacts.ok_or_else(wrong)?);
    Ok(Plan::from(step).answered(Form::Contacts(Wanted::default())))
}

/// A name, where there is one, and the address of `Name <name@host>`.
fn named(line: &str) -> (Option<&str>, &str) {
    match line.trim().strip_suffix('>').and_then(|line| line.rsplit_once('<')) {
        Some((name, address)) => {
            let name = name.trim().trim_matches('"');
            (Some(name).filter(|name| !name.is_empty()), address.trim())
        }
        None => (None, line.trim()),
    }
}

/// `contact/sync/list`: those of these whom the caller may know.
pub(super) fn sync_list(given: &Given) -> Planned<'_> {
    let ids = given.ids("contacts")?;
    few_enough("contacts", ids.len())?;
    let get = |id: uuid::Uuid| event(given, "contact:get").with("account_id", id.to_string());
    let steps: Vec<Step<'_>> = ids.into_iter().map(get).collect();
    Ok(Plan::from(steps).lenient().answered(Form::Contacts(Wanted::default())))
}

/// `contact/sync/all`: the whole list, without some, or those in whom a text is found.
pub(super) fn sync_all(given: &Given) -> Planned<'_> {
    let text = given.text("search_str")?.map(str::trim).filter(|text| !text.is_empty());
    let wanted = Wanted { ignored: given.ids("ignore")?, text: text.map(str::to_lowercase) };
    let step = event(given, "contact:sync").with("limit", 100).with_all_pages();
    Ok(Plan::from(step).answered(Form::Contacts(wanted)))
}

/// `account/lookup`: the accounts of addresses. What is none, and what the caller says that he has, is passed over.
pub(super) fn lookup(given: &Given) -> Planned<'_> {
    let (wanted, ignored) = (given.texts("lookup_list")?, given.texts("ignore_list")?);
    let (wanted, ignored) = (wanted.unwrap_or_default(), ignored.unwrap_or_default());
    few_enough("lookup_list", wanted.len())?;
    let look_up = |email: &&str| event(given, "contact:lookup_by_email").with("email", *email);
    let steps: Vec<Step<'_>> = wanted.iter().filter(|email| !ignored.contains(email)).map(look_up).collect();
    Ok(Plan::from(steps).lenient().without_header())
}

fn few_enough(key: &str, count: usize) -> Result<(), Refused> {
    if count > PEOPLE_MAX {
        return Err(Refused::bad_request(format!("{key}: at most {PEOPLE_MAX} at once.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn an_address_stands_alone_or_behind_a_name() {
        assert_eq!(named(" ada@example.org "), (None, "ada@example.org"));
        assert_eq!(named("<ada@example.org>"), (None, "ada@example.org"));
        assert_eq!(named("\"Ada L\" < ada@example.org >"), (Some("Ada L"), "ada@example.org"));
        assert_eq!(named("a > b"), (None, "a > b"));
    }
}
