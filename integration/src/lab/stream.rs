//! A stream of packets at a steady pace, and which of them were not answered. (`ping` slows down while nothing comes back, so
//! what it has lost tells nothing of the time.)

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use rustix::net::sockopt::set_socket_recv_buffer_size_force;

use super::namespace::Namespace;
use super::wait;

/// Octets that wait in a socket: of seconds.
const BUFFER: usize = 8 << 20;
/// The echo service's port.
const PORT: u16 = 7;
/// How often the threads look whether they shall end.
const LOOK: Duration = Duration::from_millis(300);
/// What was not answered is lost once no answer has come for so long: on a machine that has other things to do, many may be late.
const LATE: Duration = Duration::from_secs(2);

/// How long anything may take.
const BOUND: Duration = Duration::from_secs(30);
/// So many datagrams without an answer are silence.
const SILENCE: u32 = 100;

/// A datagram of four octets, its number, at every interval, and a pod or several that send each back.
#[derive(Debug)]
pub struct Stream {
    shared: Arc<Shared>,
    sender: Option<JoinHandle<()>>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// No more is sent; later, nobody listens any more.
    sent_all: AtomicBool,
    over: AtomicBool,
    sent: AtomicU64,
    /// When each was sent.
    moments: Mutex<Vec<Moment>>,
    answered: Mutex<BTreeSet<u32>>,
    /// What came to each of the places, and when it was sent back.
    delivered: Vec<Mutex<BTreeMap<u32, Moment>>>,
}

/// When something was handed to the kernel: on a machine that has other things to do, a thread may wait for its turn in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Not before this.
    pub begin: SystemTime,
    /// And not after this.
    pub end: SystemTime,
}

impl Moment {
    fn now() -> Self {
        let now = SystemTime::now();
        Self { begin: now, end: now }
    }

    /// Up to now.
    fn end_now(&mut self) {
        self.end = SystemTime::now();
    }
}

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Datagrams sent.
    pub sent: u64,
    /// Those of them that were not answered.
    pub lost: u64,
    /// Their numbers.
    pub unanswered: BTreeSet<u32>,
}

impl Stream {
    /// Begins to send from the namespace `from` to `target`, which is an address in the namespace `to`.
    ///
    /// # Panics
    /// When a socket cannot be made.
    #[must_use]
    pub fn start(from: &Namespace, to: &Namespace, target: IpAddr, interval: Duration) -> Self {
        Self::start_among(from, &[to], target, interval)
    }

    /// The same with `target` in several places, any of which answers: where each datagram went is asked by
    /// [`Stream::delivered`].
    ///
    /// # Panics
    /// When a socket cannot be made.
    #[must_use]
    pub fn start_among(from: &Namespace, places: &[&Namespace], target: IpAddr, interval: Duration) -> Self {
        let any: IpAddr = if target.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
        let bound = |namespace: &Namespace, address: SocketAddr| {
            namespace.enter(move || {
                let socket = UdpSocket::bind(address).expect("a socket can be bound");
                socket.set_read_timeout(Some(LOOK)).expect("a socket can have a time-out");
                // What came while the machine had other things to do is not lost.
                set_socket_recv_buffer_size_force(&socket, BUFFER).expect("root may have any buffer");
                socket
            })
        };
        let echoes: Vec<UdpSocket> = places.iter().map(|to| bound(to, SocketAddr::new(target, PORT))).collect();
        let sender = bound(from, SocketAddr::new(any, 0));
        let receiver = sender.try_clone().expect("a socket can be duplicated");
        let shared =
            Arc::new(Shared { delivered: echoes.iter().map(|_| Mutex::default()).collect(), ..Shared::default() });
        let mut threads = vec![spawn(&shared, move |shared| note_answers(&receiver, shared))];
        for (place, echo) in echoes.into_iter().enumerate() {
            threads.push(spawn(&shared, move |shared| answer_all(&echo, &shared.delivered[place], shared)));
        }
        let sender = spawn(&shared, move |shared| send_all(&sender, SocketAddr::new(target, PORT), interval, shared));
        Self { shared, sender: Some(sender), threads }
    }

    /// Answers so far.
    #[must_use]
    pub fn answers(&self) -> usize {
        lock(&self.shared.answered).len()
    }

    /// Waits for `count` answers more: proof that traffic flows now, not only before.
    ///
    /// # Panics
    /// When they do not come within 30 s.
    #[track_caller]
    pub fn await_more(&self, count: usize) {
        let goal = self.answers() + count;
        wait::until(&format!("{goal} answers"), BOUND, || {
            let seen = self.answers();
            if seen >= goal { Ok(()) } else { Err(seen) }
        });
    }

    /// Waits until no answer comes while many datagrams are sent; how many answers there were.
    ///
    /// # Panics
    /// When answers come for 30 s.
    #[track_caller]
    pub fn await_silence(&self) -> usize {
        let mut since = (self.next(), self.answers());
        wait::until("no more answers", BOUND, || {
            let now = (self.next(), self.answers());
            if now.1 != since.1 {
                since = now;
            }
            if now.0 - since.0 >= SILENCE { Ok(now.1) } else { Err(now) }
        })
    }

    /// The number of the next datagram: it and those after it are not sent yet.
    #[must_use]
    pub fn next(&self) -> u32 {
        u32::try_from(self.shared.sent.load(Ordering::SeqCst)).expect("nobody sends that much")
    }

    /// When a datagram was sent; `None` where it was not yet.
    #[must_use]
    pub fn sent_at(&self, number: u32) -> Option<Moment> {
        lock(&self.shared.moments).get(usize::try_from(number).ok()?).copied()
    }

    /// When a datagram was sent back by one of the places; `None` where none of them has it so far.
    #[must_use]
    pub fn sent_back_at(&self, number: u32) -> Option<Moment> {
        self.shared.delivered.iter().find_map(|place| lock(place).get(&number).copied())
    }

    /// The numbers of the datagrams that came to this place so far.
    #[must_use]
    pub fn delivered(&self, place: usize) -> BTreeSet<u32> {
        lock(&self.shared.delivered[place]).keys().copied().collect()
    }

    /// Stops it, waits for late answers, and counts. To be called once.
    ///
    /// # Panics
    /// When the sender has panicked.
    #[must_use]
    pub fn stop(&mut self) -> Report {
        self.shared.sent_all.store(true, Ordering::Relaxed);
        self.sender.take().and_then(|sender| sender.join().ok()).expect("the sender has ended");
        let sent = self.shared.sent.load(Ordering::Relaxed);
        let (mut answers, mut end) = (self.answers(), Instant::now() + LATE);
        loop {
            if self.answers() != answers {
                (answers, end) = (self.answers(), Instant::now() + LATE);
            }
            let lost = sent - answers as u64;
            if lost == 0 || Instant::now() > end {
                let answered = lock(&self.shared.answered).clone();
                let unanswered: BTreeSet<u32> = (0..self.next()).filter(|number| !answered.contains(number)).collect();
                return Report { sent, lost: unanswered.len() as u64, unanswered };
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.sent_all.store(true, Ordering::Relaxed);
        self.shared.over.store(true, Ordering::Relaxed);
        for thread in self.sender.take().into_iter().chain(self.threads.drain(..)) {
            // What it panicked with has been printed.
            drop(thread.join());
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(shared: &Arc<Shared>, work: impl FnOnce(&Shared) + Send + 'static) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || work(&shared))
}

/// By the clock: what was due while this thread did not run is sent at once, so the number sent tells the time.
fn send_all(socket: &UdpSocket, target: SocketAddr, interval: Duration, shared: &Shared) {
    let begin = Instant::now();
    for number in 0u32.. {
        std::thread::sleep((begin + interval * number).saturating_duration_since(Instant::now()));
        if shared.sent_all.load(Ordering::Relaxed) {
            return;
        }
        // Counted before it leaves, so that no number that is sent is one of [`Stream::next`] any more. One that cannot be sent
        // is lost.
        shared.sent.fetch_add(1, Ordering::SeqCst);
        lock(&shared.moments).push(Moment::now());
        socket.send_to(&number.to_be_bytes(), target).ok();
        if let Some(moment) = lock(&shared.moments).last_mut() {
            moment.end_now();
        }
    }
}

fn answer_all(socket: &UdpSocket, delivered: &Mutex<BTreeMap<u32, Moment>>, shared: &Shared) {
    let mut octets = [0; 4];
    while !shared.over.load(Ordering::Relaxed) {
        if let Some(from) = receive(socket, &mut octets) {
            let number = u32::from_be_bytes(octets);
            lock(delivered).insert(number, Moment::now());
            socket.send_to(&octets, from).ok();
            lock(delivered).entry(number).and_modify(Moment::end_now);
        }
    }
}

fn note_answers(socket: &UdpSocket, shared: &Shared) {
    let mut octets = [0; 4];
    while !shared.over.load(Ordering::Relaxed) {
        if receive(socket, &mut octets).is_some() {
            lock(&shared.answered).insert(u32::from_be_bytes(octets));
        }
    }
}

fn receive(socket: &UdpSocket, octets: &mut [u8; 4]) -> Option<SocketAddr> {
    match socket.recv_from(octets) {
        Ok((4, from)) => Some(from),
        // Another datagram, none for a while, or an ICMP error of an earlier one.
        Ok(_) | Err(_) => None,
    }
}
