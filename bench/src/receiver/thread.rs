//! The receivers' thread: waits, reads, counts.

use super::count::{self, Message, Totals};
use super::{Command, Event, GATEWAY_ASN, Role, What};
use anyhow::{Context, ensure};
use fingerpost_core::bgp::wire::{Capability, Open, keepalive};
use fingerpost_core::model::{Asn, HoldTime, RouterId};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc;
use std::time::Instant;

pub(super) const WAKE: Token = Token(usize::MAX);
/// At most so much is read at once.
const BUFFER: usize = 256 * 1024;

pub(super) struct Thread {
    poll: Poll,
    receivers: Vec<Receiver>,
    buffer: Box<[u8]>,
    events: mpsc::Sender<Event>,
    commands: mpsc::Receiver<Command>,
}

struct Receiver {
    role: Role,
    expected: u64,
    /// None: it is given a connection.
    listener: Option<TcpListener>,
    connection: Option<Connection>,
}

struct Connection {
    stream: TcpStream,
    /// Of a message that is not complete.
    rest: Vec<u8>,
    totals: Totals,
    reached: bool,
    released: bool,
}

impl Thread {
    pub(super) fn new(
        poll: Poll,
        listeners: Vec<Option<TcpListener>>,
        roles: &[Role],
        expected: u32,
        events: mpsc::Sender<Event>,
        commands: mpsc::Receiver<Command>,
    ) -> anyhow::Result<Self> {
        let mut receivers = Vec::new();
        for (n, (mut listener, &role)) in listeners.into_iter().zip(roles).enumerate() {
            if let Some(listener) = &mut listener {
                poll.registry().register(listener, Token(2 * n), Interest::READABLE)?;
            }
            receivers.push(Receiver { role, expected: expected.into(), listener, connection: None });
        }
        Ok(Thread { poll, receivers, buffer: vec![0; BUFFER].into(), events, commands })
    }

    pub(super) fn run(&mut self) {
        let mut ready = Events::with_capacity(256);
        loop {
            if let Err(error) = self.poll.poll(&mut ready, None)
                && error.kind() != ErrorKind::Interrupted
            {
                self.tell(0, What::Failed(error.to_string()));
                return;
            }
            for event in &ready {
                if event.token() == WAKE {
                    while let Ok(command) = self.commands.try_recv() {
                        match command {
                            Command::Go => self.go(),
                            Command::Connected(number, stream) => {
                                if let Err(error) = self.connected(number, TcpStream::from_std(stream)) {
                                    self.tell(number, What::Failed(format!("{error:#}")));
                                }
                            }
                            Command::Stop => return,
                        }
                    }
                    continue;
                }
                let (number, is_listener) = (event.token().0 / 2, event.token().0.is_multiple_of(2));
                let done = if is_listener { self.accept(number) } else { self.read(number) };
                if let Err(error) = done {
                    self.tell(number, What::Failed(format!("{error:#}")));
                }
            }
        }
    }

    fn tell(&self, receiver: usize, what: What) {
        // Nobody listens any more once the measurement is over.
        drop(self.events.send(Event { receiver, at: Instant::now(), what }));
    }

    /// Lets the held sessions come up.
    fn go(&mut self) {
        for number in 0..self.receivers.len() {
            let Some(receiver) = self.receivers.get_mut(number).filter(|receiver| receiver.role == Role::Held) else {
                continue;
            };
            let Some(connection) = &mut receiver.connection else { continue };
            connection.released = true;
            let at = Instant::now();
            let sent = connection.stream.write_all(&keepalive());
            drop(self.events.send(Event { receiver: number, at, what: What::Gone }));
            if let Err(error) = sent {
                self.tell(number, What::Failed(error.to_string()));
            }
        }
    }

    fn accept(&mut self, number: usize) -> anyhow::Result<()> {
        loop {
            let receiver = self.receivers.get(number).context("no such receiver")?;
            let stream = match receiver.listener.as_ref().context("it does not listen")?.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.connected(number, stream)?;
        }
    }

    fn connected(&mut self, number: usize, mut stream: TcpStream) -> anyhow::Result<()> {
        let receiver = self.receivers.get_mut(number).context("no such receiver")?;
        ensure!(receiver.connection.is_none(), "connected a second time");
        stream.set_nodelay(true)?;
        self.poll.registry().register(&mut stream, Token(2 * number + 1), Interest::READABLE)?;
        let (rest, totals) = (Vec::new(), Totals::default());
        receiver.connection = Some(Connection { stream, rest, totals, reached: false, released: false });
        if receiver.role == Role::Bare {
            drop(self.events.send(Event { receiver: number, at: Instant::now(), what: What::Ready }));
        }
        Ok(())
    }

    fn read(&mut self, number: usize) -> anyhow::Result<()> {
        let Thread { receivers, buffer, events, .. } = self;
        let receiver = receivers.get_mut(number).context("no such receiver")?;
        let Receiver { role, expected, connection: Some(connection), .. } = receiver else { return Ok(()) };
        loop {
            let kept = connection.rest.len();
            buffer.get_mut(..kept).context("too much is left over")?.copy_from_slice(&connection.rest);
            let read = match connection.stream.read(buffer.get_mut(kept..).unwrap_or_default()) {
                Ok(0) if *role == Role::Bare => return Ok(()),
                Ok(0) => anyhow::bail!("the connection was closed"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let at = Instant::now();
            let tell = |what| drop(events.send(Event { receiver: number, at, what }));
            let octets = buffer.get(..kept + read).unwrap_or_default();
            let traced = *role == Role::Traced && connection.totals.ends > 0;
            let (mut done, known) = (0, connection.totals.announced);
            while let Some((message, length)) =
                count::next(octets.get(done..).unwrap_or_default(), &mut connection.totals)?
            {
                done += length;
                match message {
                    Message::Open => connection.answer(*role, number)?,
                    // The second half of a handshake that is held back.
                    Message::Keepalive if *role == Role::Held && !connection.released => tell(What::Ready),
                    Message::Keepalive | Message::Update => {}
                    Message::EndOfRib => tell(What::EndOfRib(connection.totals)),
                }
            }
            let (whole, rest) = octets.split_at(done);
            connection.rest.clear();
            connection.rest.extend_from_slice(rest);
            if known == 0 && connection.totals.announced > 0 {
                tell(What::First);
            }
            if !connection.reached && connection.totals.announced >= *expected {
                connection.reached = true;
                tell(What::Reached);
            }
            if traced && !whole.is_empty() {
                tell(What::Updates(whole.to_vec()));
            }
        }
    }
}

impl Connection {
    /// Answers the OPEN; a session that is not held comes up.
    fn answer(&mut self, role: Role, number: usize) -> anyhow::Result<()> {
        let open = Open {
            asn: Asn::new(GATEWAY_ASN)?,
            // No KEEPALIVEs disturb the measurement, and no receiver needs a timer.
            hold_time: HoldTime::NEVER,
            router_id: RouterId::new(0x0aff_0000 + u32::try_from(number)? + 1)?,
            capabilities: vec![
                Capability::MultiProtocol { afi: 1, safi: 1 },
                Capability::RouteRefresh,
                Capability::FourOctetAs(GATEWAY_ASN),
            ],
        };
        self.stream.write_all(&open.encode())?;
        if role != Role::Held {
            self.stream.write_all(&keepalive())?;
        }
        Ok(())
    }
}
