//! The phases that the shapes of scenarios have between connecting and settling.
//!
//! Not here: what a phase is made of ([`super::conductor`]).

use super::conductor::{Conductor, Operator, us};
use super::shared::Order;
use crate::failure::Failure;
use crate::outcome::Window;
use crate::scenario::Shape;

/// How long an order takes to every generator, also in another process.
const ORDER_S: f64 = 0.2;

/// Carries out what is between connecting and settling.
pub(super) fn carry_out(
    conductor: &mut Conductor<'_>,
    operator: Option<&mut dyn Operator>,
) -> Result<Window, Failure> {
    match conductor.scenario.shape {
        Shape::Steady => conductor.store().and_then(|()| conductor.measure()),
        Shape::Storm { missed, over_s } => storm(conductor, missed, over_s),
        Shape::Drain => match operator {
            Some(operator) => drain(conductor, operator),
            None => Err(Failure::Plan("a drain wants a server that is started here".into())),
        },
        Shape::Burst { messages, rest_s } => burst(conductor, messages, rest_s),
    }
}

/// All but the keepers are dropped, miss something, come back.
fn storm(conductor: &mut Conductor<'_>, missed: f64, over_s: f64) -> Result<Window, Failure> {
    let scenario = &conductor.scenario;
    let (online, keepers) = (scenario.online(), scenario.keepers);
    let seats: usize = (0..scenario.conversations).map(|of| scenario.online_members(of).count()).sum();
    let conversations_each =
        (seats - scenario.conversations * keepers.min(1)) as f64 / (online - keepers).max(1) as f64;
    conductor.begin_phase("dropping");
    conductor.order(&Order::HangUp { over_us: us(over_s) });
    if !conductor.wait(|now, _| now.live + now.lost <= keepers as u64) {
        return Err(conductor.broken("all sessions dropped"));
    }
    conductor.begin_phase("missing");
    if missed > 0.0 {
        conductor.say_all(missed / conversations_each)?;
    }
    conductor.begin_phase("coming back");
    let (before, begun_us, usage) = (conductor.metrics(), conductor.now_us(), conductor.usage());
    let begin = conductor.snapshot();
    conductor.order(&Order::Connect);
    conductor.await_live()?;
    let seconds = (conductor.now_us() - begun_us) as f64 / 1e6;
    let (after, end, usage_after) = (conductor.metrics(), conductor.snapshot(), conductor.usage());
    let usages = usage.zip(usage_after);
    conductor.figures.insert("all_live_s".into(), seconds);
    for (name, value) in after {
        let grown = value - before.get(&name).copied().unwrap_or(0.0);
        if name.ends_with("_total") && grown > 0.0 {
            conductor.figures.insert(format!("storm_{name}"), grown);
        }
    }
    Ok(Window {
        seconds,
        sent: end.sent - begin.sent,
        answered: end.answered - begin.answered,
        deliveries: end.deliveries - begin.deliveries,
        bytes: end.bytes - begin.bytes,
        cpu_s: usages.map(|(begin, end)| end.cpu_s() - begin.cpu_s()),
        cpu_user_s: usages.map(|(begin, end)| end.user_s - begin.user_s),
        resident_bytes: usage_after.map(|usage| usage.resident_bytes),
    })
}

/// The server ends while everybody writes, and is started again.
fn drain(conductor: &mut Conductor<'_>, operator: &mut dyn Operator) -> Result<Window, Failure> {
    let window = conductor.measure()?;
    conductor.begin_phase("draining");
    conductor.order(&Order::ExpectEnd);
    // The order has to be there before the first session is closed.
    conductor.rest(ORDER_S);
    let begun_us = conductor.now_us();
    operator.end()?;
    if !conductor.wait(|now, _| now.live == 0) {
        return Err(conductor.broken("all sessions closed"));
    }
    let seconds = |conductor: &Conductor<'_>| (conductor.now_us() - begun_us) as f64 / 1e6;
    let all_closed_s = seconds(conductor);
    conductor.figures.insert("all_closed_s".into(), all_closed_s);
    conductor.order(&Order::Cease);
    conductor.aim.pid = operator.begin_again()?;
    let ready_again_s = seconds(conductor);
    conductor.figures.insert("ready_again_s".into(), ready_again_s);
    conductor.begin_phase("coming back");
    conductor.order(&Order::Connect);
    conductor.await_live()?;
    let all_live_s = seconds(conductor);
    conductor.figures.insert("all_live_s".into(), all_live_s);
    Ok(window)
}

/// Sessions are held, are sent something, and are held again.
fn burst(conductor: &mut Conductor<'_>, messages: f64, rest_s: f64) -> Result<Window, Failure> {
    conductor.begin_phase("holding");
    let (warm_up_s, online) = (conductor.scenario.warm_up_s, conductor.scenario.online() as f64);
    conductor.rest(warm_up_s);
    let held = conductor.usage();
    let (begin, begun_us) = (conductor.snapshot(), conductor.now_us());
    conductor.begin_phase("bursting");
    conductor.say_all(messages)?;
    conductor.begin_phase("holding again");
    conductor.rest(rest_s);
    let (end, after) = (conductor.snapshot(), conductor.usage());
    if let Some((held, after)) = held.zip(after) {
        let grown = after.resident_bytes as f64 - held.resident_bytes as f64;
        conductor.figures.insert("burst_leaves_bytes_per_session".into(), grown / online);
    }
    Ok(Window {
        seconds: (conductor.now_us() - begun_us) as f64 / 1e6,
        sent: end.sent - begin.sent,
        answered: end.answered - begin.answered,
        deliveries: end.deliveries - begin.deliveries,
        bytes: end.bytes - begin.bytes,
        cpu_s: held.zip(after).map(|(begin, end)| end.cpu_s() - begin.cpu_s()),
        cpu_user_s: held.zip(after).map(|(begin, end)| end.user_s - begin.user_s),
        resident_bytes: after.map(|usage| usage.resident_bytes),
    })
}
