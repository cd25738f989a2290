//! Which path leads where. Each family of calls names its own paths; here they are put together.
//!
//! Slashes too many, doubled or at the end, are no reason to refuse a call (protocol.md §1.1). Upgrade requests do not
//! come this way (`socket/upgrade.rs`).

use actix_web::dev::HttpServiceFactory;
use actix_web::{FromRequest, Handler, HttpRequest, Resource, Responder, web};

use crate::http;
use crate::refuse::Refused;

/// All paths.
pub(crate) fn all(config: &mut web::ServiceConfig) {
    http::page::routes(config);
    http::account::routes(config);
    http::enrolment::routes(config);
    http::business::routes(config);
    http::letter::routes(config);
    http::event::routes(config);
    http::listen::routes(config);
    http::markup::routes(config);
    http::conversation::routes(config);
    http::label::routes(config);
    http::legacy::routes(config);
    http::search::routes(config);
    http::file::routes(config);
    http::team::routes(config);
    http::upload::routes(config);
    http::avatar::routes(config);
    http::sys::routes(config);
    config.default_service(web::to(unknown));
}

/// A call: `POST`, and nothing else.
pub(crate) fn post<F, Args>(path: &str, call: F) -> impl HttpServiceFactory + 'static
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    only(path).route(web::post().to(call))
}

/// A page: `GET`, and nothing else.
pub(crate) fn get<F, Args>(path: &str, page: F) -> impl HttpServiceFactory + 'static
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    only(path).route(web::get().to(page))
}

/// A path that is refused to every verb that no route of its takes.
pub(crate) fn only(path: &str) -> Resource {
    web::resource(path).default_service(web::to(async || Err::<String, _>(Refused::wrong_verb())))
}

async fn unknown(request: HttpRequest) -> Result<String, Refused> {
    Err(Refused::unknown_method(request.path()))
}

/// The parts of a path between its slashes.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use super::segments;

    #[test]
    fn slashes_too_many_do_not_count() {
        assert!(segments("//api///ws/").eq(["api", "ws"]));
        assert!(segments("/").eq::<[&str; 0]>([]));
    }
}
