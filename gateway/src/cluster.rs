//! One node of several: the way from the link to the border, and HTTP calls that belong to another node's session.
//!
//! An HTTP client may reach any node with any call. Its session lives where its account's owner is, so that its polls and
//! what it stores meet there. Not here: how nodes agree and what crosses (`rill_actors::link`, `rill_actors::border`).

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use rill_actors::account::login::Login;
use rill_actors::border::order::{HttpCall, Order};
use rill_actors::border::reply::Caller;
use rill_actors::border::{Border, Door};
use rill_actors::link::{self, Link, LinkError, Receiver, View};
use rill_actors::node::Node;
use rill_actors::store::{Aggregate, Epoch};
use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::http::event;
use crate::worker::Worker;

/// How many calls of other nodes may wait for a worker. Full: they may be tried again.
const CALLS_MAX: usize = 4_096;

/// This node among the others.
pub(crate) struct Cluster {
    /// How it speaks to them.
    pub(crate) link: Arc<Link>,
    border: Arc<Border>,
    is_fenced: watch::Receiver<bool>,
}

impl Cluster {
    /// Begins to join the other nodes, where the settings say that there are any.
    pub(crate) async fn join(config: &Config, node: &Arc<Node>) -> Result<Option<Self>, LinkError> {
        if config.redis.is_empty() {
            return Ok(None);
        }
        let border = node.join();
        let (fenced, is_fenced) = watch::channel(false);
        let receiver = Arc::new(Mailbox { border: Arc::clone(&border), fenced });
        let settings = link::Config { redis_url: config.redis.clone(), prefix: config.redis_prefix.clone() };
        let (store, watermark) = (Arc::clone(&node.store), Arc::clone(&node.watermark));
        let link = Link::start(settings, store, watermark, receiver).await?;
        border.open(Arc::clone(&link) as _);
        Ok(Some(Self { link, border, is_fenced }))
    }

    /// Waits until the others have put this node out.
    pub(crate) async fn fenced(&self) {
        let mut is_fenced = self.is_fenced.clone();
        if is_fenced.wait_for(|fenced| *fenced).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Gives everything to the others, who have it when this ends.
    pub(crate) async fn leave(&self) {
        let view = self.link.view();
        let mut nodes = view.nodes.clone();
        nodes.remove(&self.link.me());
        if !nodes.is_empty() {
            self.link.hold();
            self.border.prepare(Arc::new(View { round: view.round, nodes })).await;
        }
        self.link.leave().await;
        self.border.leave();
    }
}

/// Takes what the link brings.
struct Mailbox {
    border: Arc<Border>,
    fenced: watch::Sender<bool>,
}

impl Receiver for Mailbox {
    fn letters(&self, from: Epoch, letters: Vec<Bytes>) {
        self.border.receive(from, &letters);
    }

    fn prepare(&self, next: Arc<View>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let border = Arc::clone(&self.border);
        Box::pin(async move { border.prepare(next).await })
    }

    fn installed(&self, view: Arc<View>) {
        self.border.install(view);
    }

    fn fenced(&self) {
        self.fenced.send_replace(true);
    }
}

/// Where HTTP calls come in that other nodes pass on.
pub(crate) struct Calls(mpsc::Sender<HttpCall>);

impl Calls {
    /// The way to a worker, and the worker's end of it.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<HttpCall>) {
        let (calls, taken) = mpsc::channel(CALLS_MAX);
        (Self(calls), taken)
    }
}

impl Door for Calls {
    fn call(&self, call: HttpCall) {
        // Full, or about to stop: the caller is told that he may try again.
        let _refused = self.0.try_send(call);
    }
}

/// Carries out calls of other nodes, for as long as the server runs.
pub(crate) async fn take_calls(worker: Rc<Worker>, mut calls: mpsc::Receiver<HttpCall>) {
    while let Some(HttpCall { login, text, is_poll, reply }) = calls.recv().await {
        let worker = Rc::clone(&worker);
        actix_rt::spawn(async move {
            let outcome = if is_poll {
                event::wait(&worker, &login, &text).await
            } else {
                event::submit(&worker, &login, &text).await
            };
            // Without an answer the caller is told that he may try again.
            if let Some(answer) = outcome.ok().and_then(|body| String::from_utf8(body.into()).ok()) {
                reply.send(answer);
            }
        });
    }
}

/// The outcome of a call, from the node where the caller's session is; none when there is no session any more.
pub(crate) async fn call(node: &Arc<Node>, login: &Login, text: &str, is_poll: bool) -> Option<Bytes> {
    let (reply, answer) = Caller::channel();
    let call = HttpCall { login: login.clone(), text: text.to_owned(), is_poll, reply };
    node.dispatch(Aggregate::Account(login.account_id), Order::Http(call));
    answer.await.ok().map(Bytes::from)
}
