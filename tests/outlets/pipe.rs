use crate::pictures::{Stream, grey, without_tables};
use sealcam::outlet::lines::{LineOutput, OutputEnd};
use sealcam::viewer::output::{FramePipe, PIPE_QUEUE};
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read};
use std::thread;

#[test]
fn a_reader_gets_whole_images_with_tables() {
    let (mut reader, writer) = io::pipe().unwrap();
    let pipe = FramePipe::start("pipe", writer).unwrap();
    let image = grey(64, 48, 77);
    pipe.offer(&Stream::new().frame(&without_tables(&image), 0));
    assert_eq!(pipe.finish().0, OutputEnd::Complete);
    let mut got = Vec::new();
    reader.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), image.len() - 12, "tables in one segment, not four");
}

#[test]
fn a_slow_reader_loses_whole_images_and_holds_nobody_up() {
    const COUNT: u64 = 200;
    let (mut reader, writer) = io::pipe().unwrap();
    let pipe = FramePipe::start("pipe", writer).unwrap();
    let images: Vec<Vec<u8>> = (0..COUNT).map(|n| grey(160, 120, n as u8)).collect();
    let mut stream = Stream::new();
    for image in &images {
        pipe.offer(&stream.frame(image, 0)); // nobody reads: this would hang if it waited
    }
    let reading = thread::spawn(move || {
        let mut got = Vec::new();
        reader.read_to_end(&mut got).map(|_| got)
    });
    let dropped = pipe.dropped();
    assert_eq!(pipe.finish().0, OutputEnd::Complete);
    let got = reading.join().unwrap().unwrap();
    let mut rest = got.as_slice();
    let mut taken = Vec::new();
    while !rest.is_empty() {
        let n = (0..images.len())
            .find(|&n| rest.starts_with(&images[n]) && taken.last().is_none_or(|&last| last < n));
        let n = n.expect("a whole image, newer than the one before");
        taken.push(n);
        rest = &rest[images[n].len()..];
    }
    assert!(dropped > 0);
    assert_eq!(taken.len() as u64 + dropped, COUNT);
    let newest = images.len() - PIPE_QUEUE.items..images.len();
    assert!(taken.ends_with(&newest.collect::<Vec<_>>()), "not the newest: {taken:?}");
}

#[test]
fn a_reader_that_goes_ends_it_without_an_error() {
    let (reader, writer) = io::pipe().unwrap();
    let pipe = FramePipe::start("pipe", writer).unwrap();
    assert_eq!(pipe.ended(), None);
    drop(reader);
    let mut stream = Stream::new();
    pipe.offer(&stream.frame(&grey(64, 48, 1), 0));
    while pipe.ended().is_none() {
        thread::yield_now();
    }
    assert_eq!(pipe.ended(), Some(OutputEnd::ReaderGone));
    pipe.offer(&stream.frame(&grey(64, 48, 1), 0));
    assert_eq!(pipe.written(), 0);
    assert_eq!(pipe.finish().0, OutputEnd::ReaderGone);
}

#[test]
fn a_reader_that_never_reads_cannot_hold_up_the_end() {
    let (reader, writer) = io::pipe().unwrap();
    let pipe = FramePipe::start("pipe", writer).unwrap();
    let mut stream = Stream::new();
    let image = crate::pictures::jpeg(400, 400, |x, y| [((x * 37) ^ (y * 91)) as u8, (x * y) as u8, 0]);
    assert!(image.len() > 1 << 16, "more than a pipe holds");
    pipe.offer(&stream.frame(&image, 0));
    assert_eq!(pipe.finish().0, OutputEnd::ReaderStuck);
    drop(reader);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error_with_a_name() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let pipe = FramePipe::start("standard output", full).unwrap();
    pipe.offer(&Stream::new().frame(&grey(64, 48, 1), 0));
    let (end, _) = pipe.finish();
    assert_eq!(end.to_string(), "standard output: cannot write: No space left on device (os error 28)");
}

#[test]
fn lines_come_out_as_lines() {
    let (reader, writer) = io::pipe().unwrap();
    let lines = LineOutput::start("statistics", writer).unwrap();
    lines.offer(|line| line.extend_from_slice(b"{}"));
    lines.offer(|line| line.extend_from_slice(b"{\"final\":true}"));
    assert_eq!(lines.finish(), OutputEnd::Complete);
    let got: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
    assert_eq!(got, ["{}", "{\"final\":true}"]);
}
