//! A display without a screen: Xvfb, with xdotool for hands and ImageMagick for eyes.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;
use std::{env, fs};

/// A running X server; it ends with this.
pub(crate) struct Display {
    server: Child,
    name: String,
    window: RefCell<String>,
    /// Nothing ever comes through: a place to wait.
    pause: (Sender<()>, Receiver<()>),
}

type Pixel = [u8; 3];

impl Display {
    /// `None`, with a word about it, where the programs for it are missing.
    pub(crate) fn start() -> Option<Self> {
        for (program, argument) in [("Xvfb", "-help"), ("xdotool", "version"), ("import", "-version")] {
            let run =
                Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
            if run.is_err() {
                eprintln!("skipped: {program} is not installed");
                return None;
            }
        }
        // Without -noreset the server starts afresh whenever its only client of the moment goes.
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb");
        let mut number = String::new();
        let output = server.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut number).expect("a display number");
        let name = format!(":{}", number.trim());
        Some(Self { server, name, window: RefCell::default(), pause: mpsc::channel() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pause(&self, seconds: f64) {
        let _ = self.pause.1.recv_timeout(Duration::from_secs_f64(seconds));
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is: impl Fn() -> bool) {
        for _ in 0..TRIES {
            if is() {
                return;
            }
            self.pause(0.1);
        }
        self.save("failed.png");
        panic!("waited in vain until {what}");
    }

    /// Waits for the window to have a `size` that fits; returns its place and size.
    #[track_caller]
    pub(crate) fn wait_for_window(&self, fits: impl Fn((u32, u32)) -> bool) -> (u32, u32, u32, u32) {
        let found = RefCell::new(None);
        self.wait_until("the window has its size", || {
            *found.borrow_mut() = self.geometry().filter(|&(_, _, width, height)| fits((width, height)));
            found.borrow().is_some()
        });
        found.into_inner().expect("just seen")
    }

    fn geometry(&self) -> Option<(u32, u32, u32, u32)> {
        let ids = self.xdotool(&["search", "--onlyvisible", "--name", "sealview"])?;
        let id = ids.lines().last()?.to_owned();
        let shell = self.xdotool(&["getwindowgeometry", "--shell", &id])?;
        let value = |name: &str| {
            let line = shell.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.and_then(|number| number.parse().ok())
        };
        *self.window.borrow_mut() = id;
        Some((value("X")?, value("Y")?, value("WIDTH")?, value("HEIGHT")?))
    }

    pub(crate) fn title(&self) -> String {
        self.xdotool(&["getwindowname", &self.window.borrow()]).unwrap_or_default()
    }

    pub(crate) fn resize_window(&self, width: u32, height: u32) {
        self.xdotool(&["windowsize", &self.window.borrow(), &width.to_string(), &height.to_string()]);
    }

    /// Presses a key in the window. Without a window manager it must be given the focus first.
    pub(crate) fn press(&self, key: &str) {
        self.xdotool(&["windowfocus", "--sync", &self.window.borrow()]);
        self.xdotool(&["key", key]);
    }

    /// The pixels of a rectangle of the screen, row by row.
    pub(crate) fn pixels(&self, left: u32, top: u32, (width, height): (u32, u32)) -> Vec<Pixel> {
        let crop = format!("{width}x{height}+{left}+{top}");
        let output = Command::new("import")
            .env("DISPLAY", &self.name)
            .args(["-window", "root", "-crop", &crop, "-depth", "8", "rgb:-"])
            .output()
            .expect("import");
        output.stdout.as_chunks::<3>().0.to_vec()
    }

    pub(crate) fn count_colour(
        &self,
        left: u32,
        top: u32,
        size: (u32, u32),
        is: impl Fn(&Pixel) -> bool,
    ) -> usize {
        self.pixels(left, top, size).iter().filter(|pixel| is(pixel)).count()
    }

    /// Waits until the pixel has about that colour.
    #[track_caller]
    pub(crate) fn wait_for_colour(&self, x: u32, y: u32, colour: Pixel) {
        self.wait_until(&format!("{x},{y} is {colour:?}"), || {
            let pixel = self.pixels(x, y, (1, 1));
            pixel.first().is_some_and(|pixel| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 6))
        });
    }

    /// Keeps a screenshot for people, in the folder that `SEALVIEW_TEST_SCREENSHOTS` names.
    pub(crate) fn save(&self, name: &str) {
        if let Some(folder) = env::var_os("SEALVIEW_TEST_SCREENSHOTS") {
            let _ = fs::create_dir_all(&folder);
            let file = PathBuf::from(folder).join(name);
            let mut import = Command::new("import");
            let _ = import.env("DISPLAY", &self.name).args(["-window", "root"]).arg(file).status();
        }
    }

    fn xdotool(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("xdotool").env("DISPLAY", &self.name).args(args).output().expect("xdotool");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A minute: a busy machine may take long to draw with software.
const TRIES: u32 = 600;
