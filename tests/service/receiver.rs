//! A receiver of the library on a real socket: what arrives, frame by frame.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use sealcam::clock;
use sealcam::jpeg::{RestartOffsets, walk};
use sealcam::keys::key_file;
use sealcam::proto::receiver::{Accepted, Receiver};
use sealcam::time::Duration;
use sealcam::wire::{MediaHeader, PublicHeader, StreamId};

use crate::room::{LONG, pause, since};

/// A whole frame as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) stream: StreamId,
    /// Number of the packet that made it whole.
    pub(crate) packet: u64,
    /// Bytes of that packet's largest fellow so far.
    pub(crate) datagram: usize,
    pub(crate) source: u8,
    pub(crate) notice: bool,
    pub(crate) size: (u16, u16),
    pub(crate) quality: Option<u8>,
}

/// Receives until it is dropped.
pub(crate) struct Watching {
    frames: Arc<Mutex<Vec<Frame>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watching {
    pub(crate) fn start(port: u16, key: &Path) -> Self {
        let key = key_file::read(key).unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (frames, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (seen, end) = (Arc::clone(&frames), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut receiver = Receiver::new(key, 1 << 20, None, clock::now());
            let mut frame = vec![0; 1 << 20].into_boxed_slice();
            let mut bytes = vec![0; 1 << 16];
            let mut largest = 0;
            while !end.load(Ordering::Relaxed) {
                let Ok(count) = socket.recv(&mut bytes) else { continue };
                let datagram = &bytes[..count];
                largest = largest.max(count);
                let Ok(Accepted::Frame) = receiver.handle(clock::now(), datagram) else { continue };
                let Some(info) = receiver.take_frame(&mut frame) else { continue };
                let public = PublicHeader::parse(datagram).unwrap();
                let (header, ..) = MediaHeader::parse(public, datagram).unwrap();
                let summary = walk(&frame[..info.len], &mut RestartOffsets::new()).unwrap();
                seen.lock().unwrap().push(Frame {
                    stream: info.stream,
                    packet: header.packet,
                    datagram: std::mem::take(&mut largest),
                    source: info.source,
                    notice: info.flags.is_notice(),
                    size: (summary.width, summary.height),
                    quality: summary.quality,
                });
            }
        });
        Self { frames, over, thread: Some(thread) }
    }

    pub(crate) fn frames(&self) -> Vec<Frame> {
        self.frames.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.frames.lock().unwrap().len()
    }

    /// Waits for a frame, from now on, that is as `is` says.
    #[track_caller]
    pub(crate) fn sees(&self, what: &str, is: impl Fn(&Frame) -> bool) -> Frame {
        let (start, from) = (clock::now(), self.count());
        loop {
            if let Some(frame) = self.frames().get(from..).and_then(|new| new.iter().find(|it| is(it))) {
                return *frame;
            }
            assert!(since(start) < LONG, "{what} has not come: {:?}", self.frames().last());
            pause(5);
        }
    }

    /// All frames so far are of one stream, and their packet numbers rise.
    #[track_caller]
    pub(crate) fn is_one_stream(&self) {
        for pair in self.frames().windows(2) {
            assert_eq!(pair[0].stream, pair[1].stream);
            assert!(pair[0].packet < pair[1].packet, "{pair:?}");
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
