//! The same `client_req_id` over two nodes has one effect, whoever is first.

use std::sync::Barrier;

use rill_loadtest::session::{Event, Session};
use rill_loadtest::socket::Socket;

use crate::many::Many;
use crate::world::{assert_like_a_fresh_sync, await_message, create, text_of};

/// How often it is tried.
const TIMES: u64 = 40;

#[test]
fn one_request_id_that_is_sent_to_two_nodes_at_once_has_one_effect_and_one_answer() {
    let many = Many::start(2);
    let ann = many.person(0);
    let mut sockets: Vec<Socket> =
        many.cluster.urls().iter().map(|url| ann.at(url).connect(0).unwrap()).collect();
    let room = create(&mut sockets[0], "Once", &[]);
    for socket in &mut sockets {
        await_message(socket, &room, 1);
    }
    for time in 0..TIMES {
        let event = Event::new("message:add_plain", text_of(&room, &format!("once {time}")));
        let start = Barrier::new(sockets.len());
        let send = |socket: &mut Socket| {
            start.wait();
            socket
                .request_events(std::slice::from_ref(&event))
                .unwrap()
                .remove(0)
                .done()
                .unwrap()
                .message_nr()
        };
        let numbers: Vec<Option<u64>> = std::thread::scope(|scope| {
            let threads: Vec<_> = sockets.iter_mut().map(|socket| scope.spawn(|| send(socket))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(numbers, [Some(time + 2); 2]);
    }
    for socket in &mut sockets {
        await_message(socket, &room, TIMES + 1);
        assert_eq!(socket.picture().messages(&room).count() as u64, TIMES + 1);
        assert_like_a_fresh_sync(socket);
    }
    many.assert_no_panics();
}
