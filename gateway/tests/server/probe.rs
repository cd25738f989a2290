//! Probe.
use rill_loadtest::session::{Event, Session};
use serde_json::json;
use crate::world::*;

#[test]
fn probe_edits() {
    let world = World::start(&[]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let (mut a, mut b) = (ann.connect(0).unwrap(), bea.connect(0).unwrap());
    let room = create(&mut a, "Row", &[&bea]);
    let n = post(&mut a, &room, "one");
    for round in 0..30 {
        let mut events = vec![];
        for k in 0..4 {
            events.push(Event::new("message:edit", json!({"conversation_id": room, "message_nr": n, "message": format!("r{round} k{k}")})));
            if k % 2 == 1 { events.push(Event::new("message:add_plain", text_of(&room, "x"))); }
            if k % 3 == 1 { events.push(Event::new("conv:mark_read", json!({"conversation_id": room, "show_message_nr": 2}))); }
        }
        for e in &events { a.submit_events(std::slice::from_ref(e)).unwrap(); }
        for e in &events { a.answer(e.client_req_id).unwrap().done().unwrap(); }
    }
    a.settle().unwrap(); b.settle().unwrap();
    for v in a.picture().verify() { println!("A {v}"); }
    for v in b.picture().verify() { println!("B {v}"); }
}
#[test]
fn probe_adds() {
    let world = World::start(&[]);
    let people: Vec<_> = (0..6).map(|n| world.person(&format!("P{n}"))).collect();
    let mut s: Vec<_> = people.iter().map(|p| p.connect(0).unwrap()).collect();
    let room = create(&mut s[0], "Row", &[&people[1]]);
    for k in 2..6 {
        let mut events = vec![];
        for j in 0..6 {
            events.push(Event::new("message:add_plain", text_of(&room, "x")));
            if j == 2 || j == 4 || j == 5 { events.push(Event::new("conv:add_members", json!({"conversation_id": room, "account_ids": [people[k].account_id]}))); }
        }
        for e in &events { s[0].submit_events(std::slice::from_ref(e)).unwrap(); }
        for e in &events { s[0].answer(e.client_req_id).unwrap().done().unwrap(); }
    }
    for (i, x) in s.iter_mut().enumerate() { x.settle().unwrap(); 
     for v in x.picture().verify() { println!("{i} {v}"); }
     if let Ok(l) = compared_with_a_fresh_sync(x) { for l in l { println!("{i} {l}"); } } }
}
