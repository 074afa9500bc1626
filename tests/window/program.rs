//! The program with the window: both sides of it.

use crate::display::Display;
use crate::pictures::{Stream, grey, jpeg};
use crate::{BLUE, GREEN, RED, YELLOW};
use sealcam::viewer::decode::WindowDecoder;
use sealcam::viewer::window::{self, View, WindowHandle};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use std::{env, fs, io, thread};

const ROLE: &str = "SEALVIEW_TEST_WINDOW";

/// A running program with a window; it ends with this.
pub(crate) struct Program {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
}

impl Program {
    pub(crate) fn start(display: &Display) -> Self {
        Self::start_on(Some(display.name()))
    }

    pub(crate) fn start_on(display: Option<&str>) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command
            .env(ROLE, "yes")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("WAYLAND_SOCKET")
            .env_remove("DISPLAY");
        command.envs(display.map(|name| ("DISPLAY", name)));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program with the window");
        let input = child.stdin.take().expect("its input");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let (sender, output) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, input, output }
    }

    /// Tells it what to do.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it listens");
    }

    /// Whether it comes to say `line`.
    pub(crate) fn lines(&self, line: &str) -> bool {
        std::iter::from_fn(|| self.output.recv_timeout(LONG).ok()).any(|said| said == line)
    }

    /// What the window's function returned.
    pub(crate) fn end(&mut self) -> String {
        let said = std::iter::from_fn(|| self.output.recv_timeout(LONG).ok());
        let end = said.filter_map(|line| line.strip_prefix("end ").map(str::to_owned)).next();
        assert!(self.child.wait().expect("its end").success());
        end.expect("a word at the end")
    }

    /// Processor time that it has used.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("its figures");
        let after_name = stat.rsplit(')').next().expect("a name in brackets");
        let ticks = after_name.split_whitespace().skip(11).take(2);
        ticks.map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A busy machine may take long to draw with software.
const LONG: Duration = Duration::from_secs(60);

pub(crate) fn is_asked_for() -> bool {
    env::var_os(ROLE).is_some()
}

/// Shows what standard input says until the window is closed.
pub(crate) fn run() -> ExitCode {
    let handle = WindowHandle::new();
    let feeder = handle.clone();
    thread::spawn(move || {
        let mut stream = Stream::new();
        for line in io::stdin().lines().map_while(Result::ok) {
            obey(&feeder, &mut stream, &line);
        }
    });
    let watched = handle.clone();
    thread::spawn(move || {
        let (_never, pause) = mpsc::channel::<()>();
        let mut last = (0, 0);
        loop {
            let now = (watched.shown(), watched.undecodable());
            if now != last {
                tell(&format!("shown {}", now.0));
                tell(&format!("undecodable {}", now.1));
                last = now;
            }
            let _ = pause.recv_timeout(Duration::from_millis(20));
        }
    });
    let end = window::run("239.1.2.3:5000", &handle, WindowDecoder::new(), |event| {
        tell(&format!("event {event:?}"));
    });
    tell(&format!("end {}", end.map_or_else(|error| error.to_string(), |()| "Ok(())".to_owned())));
    ExitCode::SUCCESS
}

fn tell(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn obey(window: &WindowHandle, stream: &mut Stream, line: &str) {
    let (order, rest) = line.split_once(' ').unwrap_or((line, ""));
    let numbers: Vec<usize> = rest.split(' ').filter_map(|word| word.parse().ok()).collect();
    match order {
        "colour" => {
            let colour = [numbers[2], numbers[3], numbers[4]].map(|c| c as u8);
            window.show(&stream.frame(&jpeg(numbers[0], numbers[1], |_, _| colour), 0));
        }
        "quarters" => {
            let (width, height) = (numbers[0], numbers[1]);
            let image = jpeg(width, height, |x, y| match (x < width / 2, y < height / 2) {
                (true, true) => RED,
                (false, true) => GREEN,
                (true, false) => BLUE,
                (false, false) => YELLOW,
            });
            window.show(&stream.frame(&image, 0));
        }
        "broken" => {
            // Whole as a file, but with a scan that ends at once.
            let mut image = grey(320, 180, 99);
            let scan = image.windows(2).position(|pair| pair == [0xff, 0xda]).expect("a scan");
            image.drain(scan + 16..image.len() - 2);
            window.show(&stream.frame(&image, 0));
        }
        "trouble" => window.tell(View { trouble: Some(rest.to_owned()), rows: Vec::new() }),
        "rows" => {
            let rows = rest.split(';').filter_map(|row| row.split_once('='));
            let rows = rows.map(|(name, value)| (&*name.to_owned().leak(), value.to_owned())).collect();
            window.tell(View { trouble: None, rows });
        }
        "close" => window.close(),
        _ => tell(&format!("end: unknown order {line}")),
    }
}
