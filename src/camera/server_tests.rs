//! The server with clients on the loopback interface.

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
