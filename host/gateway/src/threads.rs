//! The threads that run sessions: each an event loop of its own, with its own instance.
//!
//! The first one accepts for all and deals the connections out in turn; once a second it looks for
//! open spans that have grown too old. Nothing moves from thread to thread after that.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use spanbridge::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::warn;

use crate::admin::{BEAT_INTERVAL, Beat, Beats};
use crate::listener::{Listener, Place};
use crate::live::LiveLimits;
use crate::open_spans::OpenSpans;
use crate::relay::Tools;
use crate::worker::{Bench, now};

/// How often open spans are looked through for those that are too old. Ages are minutes to hours.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// After an accept failed for want of a resource: long enough not to spin, short for a person.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the threads share.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    pub runtime: Runtime,
    pub open_spans: Arc<OpenSpans>,
    pub listeners: Vec<Arc<Listener>>,
    pub beats: Arc<Beats>,
    pub limits: Arc<LiveLimits>,
    pub stop: watch::Receiver<bool>,
}

/// A client, on its way to the thread that serves it.
struct Accepted {
    client: TcpStream,
    peer: SocketAddr,
    listener: Arc<Listener>,
    place: [Place; 2],
}

/// Bounded by the number of sessions, each of which holds its place.
type Deal = mpsc::UnboundedSender<Accepted>;

/// Starts `workers` threads.
pub(crate) fn start(
    shared: Threads,
    sockets: Vec<TcpListener>,
    workers: usize,
) -> io::Result<Vec<JoinHandle<()>>> {
    let mut deals = Vec::new();
    let mut receivers = Vec::new();
    for _ in 0..workers {
        let (deal, accepted) = mpsc::unbounded_channel();
        deals.push(deal);
        receivers.push(accepted);
    }
    let mut accepting = Some((sockets, deals));
    let mut threads = Vec::new();
    for (number, accepted) in receivers.into_iter().enumerate() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = shared.clone();
        let accepting = accepting.take();
        let beat = shared.beats.of(number);
        let body = move || {
            let local = LocalSet::new();
            local.block_on(&runtime, async {
                tokio::select! {
                    () = run(shared, accepting, accepted) => {}
                    () = beat_for_ever(&beat) => {}
                }
            });
        };
        threads.push(thread::Builder::new().name(format!("spanbridge-{number}")).spawn(body)?);
    }
    Ok(threads)
}

/// One thread, from start to stop.
async fn run(
    shared: Threads,
    accepting: Option<(Vec<TcpListener>, Vec<Deal>)>,
    mut accepted: mpsc::UnboundedReceiver<Accepted>,
) {
    let bench = Bench::new(Tools::new(&shared.runtime, &shared.open_spans));
    if let Some((sockets, deals)) = accepting {
        for (listener, socket) in shared.listeners.iter().zip(sockets) {
            let listener = Arc::clone(listener);
            let (deals, shared) = (deals.clone(), shared.clone());
            tokio::task::spawn_local(accept(listener, socket, deals, shared));
        }
        tokio::task::spawn_local(sweep(Rc::clone(&bench)));
    }
    let mut serving = tokio::task::JoinSet::new();
    let mut stop = shared.stop.clone();
    loop {
        tokio::select! {
            accepted = accepted.recv() => match accepted {
                Some(accepted) => serve(&mut serving, accepted, &bench, &shared),
                // Whoever accepts has stopped.
                None => break,
            },
            // Sessions that are over are forgotten as they end.
            Some(_) = serving.join_next() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    while serving.join_next().await.is_some() {}
}

fn serve(
    serving: &mut tokio::task::JoinSet<()>,
    accepted: Accepted,
    bench: &Rc<RefCell<Bench>>,
    shared: &Threads,
) {
    let Accepted { client, peer, listener, place } = accepted;
    let bench = Rc::clone(bench);
    let stop = shared.stop.clone();
    serving.spawn_local(async move {
        match tokio::net::TcpStream::from_std(client) {
            Ok(client) => listener.serve(client, peer, bench, stop).await,
            Err(error) => warn!(%peer, %error, "client cannot be served"),
        }
        drop(place);
    });
}

/// Accepts until the stop.
async fn accept(listener: Arc<Listener>, socket: TcpListener, deals: Vec<Deal>, shared: Threads) {
    let mut stop = shared.stop.clone();
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return warn!(listener = %listener.address, %error, "cannot accept"),
    };
    for deal in deals.iter().cycle() {
        let (client, peer) = loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok(accepted) => break accepted,
                // A client that has gone again, or no file descriptors left.
                Err(error) => {
                    warn!(listener = %listener.address, %error, "accept failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        let sessions_max = shared.limits.sessions_max();
        let Some(place) = listener.place(sessions_max) else {
            listener.counters.connections_refused.limit.add(1);
            if listener.gate.opens(Instant::now()) {
                let sessions = listener.sessions.load(Ordering::Relaxed);
                warn!(%peer, listener = %listener.address, sessions, "client refused: too many");
            }
            continue;
        };
        let client = listener.net.prepare(&client).and_then(|()| client.into_std());
        if let Ok(client) = client {
            let listener = Arc::clone(&listener);
            // Its thread is gone only when the gateway is going down.
            let _ = deal.send(Accepted { client, peer, listener, place });
        }
    }
}

/// Says once a second that the thread turns.
async fn beat_for_ever(beat: &Beat) {
    let mut ticks = interval(BEAT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        beat.beat();
    }
}

async fn sweep(bench: Rc<RefCell<Bench>>) {
    let mut ticks = interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        while sweep_once(&mut bench.borrow_mut().tools) {
            tokio::task::yield_now().await;
        }
    }
}

/// Answers whether there may be more to sweep.
fn sweep_once(tools: &mut Tools) -> bool {
    let open_spans = Arc::clone(&tools.open_spans);
    open_spans.sweep(now(), tools)
}
