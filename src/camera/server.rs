//! A small server beside the stream: requests that fit into a page, one answer each, nothing that blocks.
//!
//! At most [`MOST`] connections are open, and [`BUDGET`] a second are taken; more wait in the system's queue. Each
//! has [`PATIENCE`] for its request and answer, so whoever is slow or silent only loses the connection; and where
//! all are taken, the oldest that has not said what it wants makes room after [`GRACE`]. The loop calls
//! [`Server::serve`] when a descriptor is ready or the time of [`Server::wake_at`] has come.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::poll::PollFlags;

use crate::time::{Duration, Instant};

/// Connections at a time.
pub const MOST: usize = 4;
/// Bytes of a request.
pub const LONGEST_REQUEST: usize = 4096;
/// For a request to come and its answer to be taken.
const PATIENCE: Duration = Duration::from_secs(3);
/// Connections a second, so many of them at once.
pub const BUDGET: u32 = 20;
/// How long a connection may be without a whole request while others wait.
const GRACE: Duration = Duration::from_millis(250);
/// Pause where the system has no descriptor left for another connection.
const FULL_PAUSE: Duration = Duration::from_millis(250);

/// What a connection takes from the budget of a second.
const COST: Duration = Duration::from_millis(1000 / BUDGET as u64);

/// Where connections come from.
pub trait Listen: AsFd {
    /// A connection.
    type Stream: Stream;

    /// The next connection, not blocking; with the answer that it gets at once, if it is not to be served.
    ///
    /// # Errors
    ///
    /// As accept(2); `WouldBlock` if there is none.
    fn accept(&self) -> io::Result<(Self::Stream, Option<Vec<u8>>)>;
}

/// A connection that does not block.
pub trait Stream: Read + Write + AsFd {
    /// Tells the other side that the answer is complete.
    fn finish(&self) -> io::Result<()>;
}

impl Stream for UnixStream {
    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Stream for TcpStream {
    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    fn accept(&self) -> io::Result<(TcpStream, Option<Vec<u8>>)> {
        let (stream, _) = TcpListener::accept(self)?;
        stream.set_nonblocking(true)?;
        Ok((stream, None))
    }
}

/// What the bytes of a request so far call for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// More bytes. A request that is longer than [`LONGEST_REQUEST`] is cut off.
    More,
    /// This answer, and the end.
    Answer(Vec<u8>),
}

/// Serves requests from a listener.
#[derive(Debug)]
pub struct Server<L: Listen> {
    listener: L,
    connections: heapless::Vec<Connection<L::Stream>, MOST>,
    /// When the budget of a second will be whole again.
    spent_until: Instant,
    /// The system has no descriptor for another connection before.
    full_until: Instant,
    /// No connection is taken before.
    closed_until: Option<Instant>,
}

#[derive(Debug)]
struct Connection<S> {
    stream: S,
    state: State,
    since: Instant,
    deadline: Instant,
}

#[derive(Debug)]
enum State {
    Reading {
        request: Vec<u8>,
    },
    Writing {
        answer: Vec<u8>,
        sent: usize,
    },
    /// All is said; what still comes is read away, for closing on unread bytes would take the answer back.
    Draining,
    Over,
}

impl<L: Listen> Server<L> {
    /// Serves what comes to `listener`, which must not block.
    pub const fn new(listener: L) -> Self {
        let connections = heapless::Vec::new();
        let (spent_until, full_until) = (Instant::ORIGIN, Instant::ORIGIN);
        Self { listener, connections, spent_until, full_until, closed_until: None }
    }

    /// Where connections come from.
    pub const fn listener(&self) -> &L {
        &self.listener
    }

    /// What to wait for.
    pub fn descriptors(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let listener = self.closed_until.is_none().then(|| (self.listener.as_fd(), PollFlags::POLLIN));
        let connections = self.connections.iter().map(|connection| {
            let flags = match connection.state {
                State::Writing { .. } => PollFlags::POLLOUT,
                _ => PollFlags::POLLIN,
            };
            (connection.stream.as_fd(), flags)
        });
        listener.into_iter().chain(connections)
    }

    /// When to call [`Server::serve`] at the latest.
    pub fn wake_at(&self) -> Option<Instant> {
        self.connections.iter().map(|connection| connection.deadline).chain(self.closed_until).min()
    }

    /// Takes connections, reads requests, gives the answers of `respond` and ends what has lasted too long.
    pub fn serve(&mut self, now: Instant, mut respond: impl FnMut(&[u8]) -> Response) {
        self.take(now);
        for connection in &mut self.connections {
            connection.go_on(&mut respond);
            if now >= connection.deadline {
                connection.state = State::Over;
            }
        }
        self.connections.retain(|connection| !matches!(connection.state, State::Over));
        self.closed_until = self.next_place(now);
    }

    /// When there will be room and budget for another connection; `None`: now.
    fn next_place(&self, now: Instant) -> Option<Instant> {
        let paid = self.spent_until.saturating_sub(Duration::from_secs(1)) + COST;
        let room = match self.dawdler() {
            _ if !self.connections.is_full() => now,
            Some(at) => self.connections[at].since + GRACE,
            None => self.connections.iter().map(|it| it.deadline).min().unwrap_or(now),
        };
        Some(paid.max(room).max(self.full_until)).filter(|at| *at > now)
    }

    /// The oldest connection that has not said what it wants.
    fn dawdler(&self) -> Option<usize> {
        let reading = self.connections.iter().enumerate();
        let reading = reading.filter(|(_, it)| matches!(it.state, State::Reading { .. }));
        reading.min_by_key(|(_, it)| it.since).map(|(at, _)| at)
    }

    fn take(&mut self, now: Instant) {
        while self.next_place(now).is_none() {
            match self.listener.accept() {
                Ok((stream, refusal)) => {
                    let state = match refusal {
                        Some(answer) => State::Writing { answer, sent: 0 },
                        None => State::Reading { request: Vec::with_capacity(LONGEST_REQUEST) },
                    };
                    if let Some(oldest) = self.dawdler().filter(|_| self.connections.is_full()) {
                        self.connections.swap_remove(oldest);
                    }
                    self.spent_until = self.spent_until.max(now) + COST;
                    let connection = Connection { stream, state, since: now, deadline: now + PATIENCE };
                    // There is room for it.
                    let _ = self.connections.push(connection);
                }
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return,
                // One that has gone again.
                Err(why)
                    if matches!(
                        why.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                    ) => {}
                Err(why) => {
                    log::debug!("a connection cannot be taken: {why}");
                    self.full_until = now + FULL_PAUSE;
                    return;
                }
            }
        }
    }
}

impl<S: Stream> Connection<S> {
    /// Goes on as far as is possible without waiting.
    fn go_on(&mut self, respond: &mut impl FnMut(&[u8]) -> Response) {
        if let State::Reading { request } = &mut self.state {
            match read(&mut self.stream, request) {
                Ok(ended) => match respond(request) {
                    Response::Answer(answer) => self.state = State::Writing { answer, sent: 0 },
                    Response::More if ended || request.len() >= LONGEST_REQUEST => self.state = State::Over,
                    Response::More => {}
                },
                Err(_) => self.state = State::Over,
            }
        }
        if let State::Writing { answer, sent } = &mut self.state {
            match write(&mut self.stream, &answer[*sent..]) {
                Ok(written) => *sent += written,
                Err(_) => *sent = answer.len(),
            }
            if *sent == answer.len() {
                self.state = self.stream.finish().map_or(State::Over, |()| State::Draining);
            }
        }
        if matches!(self.state, State::Draining) && drained(&mut self.stream) {
            self.state = State::Over;
        }
    }
}

/// Reads what there is, up to the longest request; whether it has ended.
fn read(stream: &mut impl Read, request: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 1024];
    while request.len() < LONGEST_REQUEST {
        let room = piece.len().min(LONGEST_REQUEST - request.len());
        match stream.read(&mut piece[..room]) {
            Ok(0) => return Ok(true),
            Ok(count) => request.extend_from_slice(&piece[..count]),
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(false)
}

/// Writes what is taken without waiting; how much it was.
fn write(stream: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => sent += count,
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(sent)
}

/// Reads away a piece of what still comes; whether nothing will any more.
fn drained(stream: &mut impl Read) -> bool {
    let mut piece = [0; 1024];
    for _ in 0..8 {
        match stream.read(&mut piece) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(why) => return why.kind() != io::ErrorKind::WouldBlock,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn echo_line(request: &[u8]) -> Response {
        if request.ends_with(b"\n") { Response::Answer(request.to_vec()) } else { Response::More }
    }

    fn server() -> (Server<TcpListener>, impl Fn() -> TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let at = listener.local_addr().unwrap();
        (Server::new(listener), move || TcpStream::connect(at).unwrap())
    }

    const START: Instant = Instant::from_millis(1_000);

    /// Serves until something has happened, for the kernel needs a moment even on the loopback interface.
    fn settle(server: &mut Server<TcpListener>, now: Instant) {
        for _ in 0..20 {
            let mut fds: Vec<_> =
                server.descriptors().map(|(fd, flags)| nix::poll::PollFd::new(fd, flags)).collect();
            nix::poll::poll(&mut fds, 5_u8).unwrap();
            server.serve(now, echo_line);
        }
    }

    #[test]
    fn a_request_in_pieces_gets_one_answer() {
        let (mut server, connect) = server();
        let mut client = connect();
        client.write_all(b"he").unwrap();
        settle(&mut server, START);
        assert_eq!(server.connections.len(), 1);
        client.write_all(b"llo\n").unwrap();
        settle(&mut server, START);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hello\n");
        drop(client);
        settle(&mut server, START);
        assert!(server.connections.is_empty());
    }

    #[test]
    fn whoever_is_silent_loses_the_connection_and_others_get_in() {
        let (mut server, connect) = server();
        let silent: Vec<TcpStream> = (0..MOST).map(|_| connect()).collect();
        settle(&mut server, START);
        assert!(server.connections.is_full());
        // No listener to wait for while there is no room, or the loop would spin.
        assert_eq!(server.descriptors().count(), MOST);
        let mut late = connect();
        late.write_all(b"x\n").unwrap();
        assert_eq!(server.wake_at(), Some(START + GRACE));
        settle(&mut server, START + GRACE);
        let mut answer = String::new();
        late.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "x\n");
        drop(late);
        settle(&mut server, START + GRACE);
        // One of them made room, and only one; in the end all lose their place.
        assert_eq!(server.connections.len(), MOST - 1);
        settle(&mut server, START + PATIENCE);
        assert!(server.connections.is_empty());
        drop(silent);
    }

    #[test]
    fn no_more_are_served_than_the_budget_allows() {
        let (mut server, connect) = server();
        let mut served = 0;
        let now = START + Duration::from_secs(10);
        let mut ask = |server: &mut Server<TcpListener>, now: Instant| {
            let mut client = connect();
            client.write_all(b"x\n").unwrap();
            for _ in 0..200 {
                server.serve(now, |request| {
                    served += u32::from(request.ends_with(b"\n"));
                    echo_line(request)
                });
                if server.closed_until.is_some() {
                    break;
                }
            }
            served
        };
        for _ in 0..BUDGET {
            ask(&mut server, now);
        }
        let at_once = ask(&mut server, now);
        assert!((BUDGET - 1..=BUDGET).contains(&at_once), "{at_once}");
        assert_eq!(server.descriptors().count(), server.connections.len(), "no listener to wake for");
        let wake = server.wake_at().unwrap();
        assert!(wake > now && wake <= now + COST, "{wake} {now}");
        assert!(ask(&mut server, wake + COST) > at_once);
    }

    #[test]
    fn a_request_without_end_is_cut_off() {
        let (mut server, connect) = server();
        let mut client = connect();
        client.write_all(&[b'x'; LONGEST_REQUEST + 1]).unwrap();
        settle(&mut server, START);
        assert!(server.connections.is_empty());
    }

    #[test]
    fn a_large_answer_waits_for_its_reader() {
        let (mut server, connect) = server();
        let mut client = connect();
        client.write_all(b"x").unwrap();
        let large = |_: &[u8]| Response::Answer(vec![7; 8 << 20]);
        let mut got = 0;
        let mut piece = vec![0; 1 << 16];
        client.set_nonblocking(true).unwrap();
        for _ in 0..200_000 {
            server.serve(START, large);
            match client.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => got += count,
                Err(_) => {}
            }
        }
        assert_eq!(got, 8 << 20);
    }
}
