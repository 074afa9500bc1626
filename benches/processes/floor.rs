#![allow(unsafe_code, reason = "sleeps until a time, which the standard library does not offer")]
//! The floor as programs of their own.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::net::UdpSocket;
use std::os::unix::fs::FileExt;
use std::process::ExitCode;

use crate::bare_stream::{BareReceiver, BareSender};
use crate::contestants::DATAGRAM;
use crate::measure::clock;
use crate::pictures::split;

const LARGEST: usize = 1 << 20;
const INTERVAL: f64 = 1e6 / 30.0;

/// Sends the images of `file` 30 times a second, for ever; or, if that is `-`, those that come on standard
/// input, each behind its length in four bytes.
pub(crate) fn send(to: &str, file: &str) -> io::Result<ExitCode> {
    let mut sender = BareSender::new(to.parse().expect("an address"), DATAGRAM, LARGEST);
    let mut buffer = vec![0; LARGEST];
    if file == "-" {
        let mut input = io::stdin().lock();
        let mut len = [0; 4];
        loop {
            match input.read_exact(&mut len) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(ExitCode::SUCCESS),
                result => result?,
            }
            let image = &mut buffer[..u32::from_be_bytes(len) as usize];
            input.read_exact(image)?;
            sender.send(image);
        }
    }
    let places = split(&fs::read(file)?);
    let file = File::open(file)?;
    let mut due = clock(libc::CLOCK_MONOTONIC);
    for place in places.iter().cycle() {
        let image = &mut buffer[..place.len()];
        file.read_exact_at(image, place.start as u64)?;
        sender.send(image);
        due += INTERVAL;
        sleep_until(due);
    }
    Ok(ExitCode::SUCCESS)
}

/// Receives for ever; writes whole frames to standard output if `out` is `-`.
pub(crate) fn receive(at: &str, out: &str) -> io::Result<ExitCode> {
    let mut receiver = BareReceiver::new(UdpSocket::bind(at)?, DATAGRAM, LARGEST);
    let mut stdout = io::stdout().lock();
    let mut result = Ok(());
    while result.is_ok() {
        receiver.receive(|frame| {
            if out == "-" {
                result = stdout.write_all(frame).and_then(|()| stdout.flush());
            }
        });
    }
    Ok(ExitCode::SUCCESS)
}

fn sleep_until(micros: f64) {
    let time = libc::timespec { tv_sec: (micros / 1e6) as _, tv_nsec: (micros % 1e6 * 1e3) as _ };
    // SAFETY: reads the time that it is given; nothing is written.
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const time,
            std::ptr::null_mut(),
        )
    };
}
