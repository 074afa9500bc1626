//! The window, on a display of its own: seen with screenshots, worked with keys.
//!
//! A window needs its program's main thread, so this test program runs itself again as the program
//! with the window, and tells it over its standard input what to show.

#[path = "../pictures/mod.rs"]
mod pictures;

mod display;
mod program;

use display::Display;
use program::Program;
use std::io::Write;
use std::panic;
use std::process::ExitCode;

const TESTS: [(&str, fn()); 8] = [
    ("the_picture_fills_the_window_in_its_shape", the_picture_fills_the_window_in_its_shape),
    ("keys_end_it_and_ask_for_snapshots", keys_end_it_and_ask_for_snapshots),
    ("the_figures_come_and_go", the_figures_come_and_go),
    ("it_says_why_there_is_no_picture", it_says_why_there_is_no_picture),
    ("an_old_picture_is_dimmed", an_old_picture_is_dimmed),
    ("a_broken_image_leaves_the_picture_alone", a_broken_image_leaves_the_picture_alone),
    ("the_program_can_close_it", the_program_can_close_it),
    ("no_display_is_an_error_with_the_mend", no_display_is_an_error_with_the_mend),
];

const RED: [u8; 3] = [220, 20, 20];
const GREEN: [u8; 3] = [20, 200, 20];
const BLUE: [u8; 3] = [20, 20, 220];
const YELLOW: [u8; 3] = [230, 230, 20];
const BLACK: [u8; 3] = [0; 3];

fn the_picture_fills_the_window_in_its_shape() {
    let Some(display) = Display::start() else { return };
    let mut program = Program::start(&display);
    program.say("quarters 320 180");
    // The window takes the picture's size.
    let (left, top, width, height) = display.wait_for_window(|size| size == (320, 180));
    let quarters = |width: u32, height: u32| {
        let (near, far) = ((width / 4, height / 4), (width * 3 / 4, height * 3 / 4));
        [(near.0, near.1, RED), (far.0, near.1, GREEN), (near.0, far.1, BLUE), (far.0, far.1, YELLOW)]
    };
    for (x, y, colour) in quarters(width, height) {
        display.wait_for_colour(left + x, top + y, colour);
    }
    // In a square window there is black above and below.
    display.resize_window(600, 600);
    let (left, top, ..) = display.wait_for_window(|size| size == (600, 600));
    let height = 600 * 180 / 320;
    let above = (600 - height) / 2;
    for (x, y, colour) in quarters(600, height) {
        display.wait_for_colour(left + x, top + above + y, colour);
    }
    for y in [5, above - 6, 600 - above + 6, 594] {
        display.wait_for_colour(left + 300, top + y, BLACK);
    }
    display.save("picture.png");
    // A picture of another size needs no new window.
    program.say("colour 64 64 20 200 20");
    display.wait_for_colour(left + 300, top + 5, GREEN);
    assert!(program.lines("shown 2"), "two pictures");
}

fn keys_end_it_and_ask_for_snapshots() {
    let Some(display) = Display::start() else { return };
    for (keys, said) in [("s q", "Snapshot"), ("Escape", "Closed")] {
        let mut program = Program::start(&display);
        program.say("colour 320 180 220 20 20");
        let (left, top, ..) = display.wait_for_window(|size| size == (320, 180));
        display.wait_for_colour(left + 160, top + 90, RED);
        for key in keys.split(' ') {
            display.press(key);
            if key == "s" {
                assert!(program.lines("event Snapshot"));
            }
        }
        assert!(program.lines("event Closed"), "{keys}: no {said}");
        assert_eq!(program.end(), "Ok(())", "{keys}");
    }
}

fn the_figures_come_and_go() {
    let Some(display) = Display::start() else { return };
    let mut program = Program::start(&display);
    program.say("rows rate=29.9 fps;frames=299 whole");
    program.say("colour 320 180 220 20 20");
    let (left, top, ..) = display.wait_for_window(|size| size == (320, 180));
    display.wait_for_colour(left + 20, top + 60, RED);
    let white = || display.count_colour(left, top, (320, 90), |pixel| pixel.iter().all(|&c| c > 200));
    assert_eq!(white(), 0);
    display.press("i");
    display.wait_until("the figures are shown", || white() > 100);
    display.save("figures.png");
    display.press("Tab");
    display.wait_until("the figures are gone", || white() == 0);
}

fn it_says_why_there_is_no_picture() {
    let Some(display) = Display::start() else { return };
    let mut program = Program::start(&display);
    program.say("trouble waiting for the camera on 239.1.2.3:5000 …");
    let (left, top, width, height) = display.wait_for_window(|_| true);
    let middle = (left + width / 4, top + height / 2 - 25);
    let white = || display.count_colour(middle.0, middle.1, (width / 2, 50), |pixel| pixel[0] > 200);
    display.wait_until("the reason is shown", || white() > 200);
    display.save("waiting.png");
    assert!(display.title().starts_with("239.1.2.3:5000"), "{}", display.title());
    let before = display.pixels(middle.0, middle.1, (width / 2, 50));
    program.say("trouble wrong key: these datagrams are not sealed with key 3fa9-01c2");
    let changed = || display.pixels(middle.0, middle.1, (width / 2, 50)) != before;
    display.wait_until("the new reason is shown", changed);
    display.save("wrong-key.png");
    // A picture takes the words away.
    program.say("colour 320 180 220 20 20");
    let (left, top, ..) = display.wait_for_window(|size| size == (320, 180));
    display.wait_for_colour(left + 160, top + 90, RED);
}

fn an_old_picture_is_dimmed() {
    let Some(display) = Display::start() else { return };
    let mut program = Program::start(&display);
    program.say("colour 640 360 220 20 20");
    let (left, top, ..) = display.wait_for_window(|size| size == (640, 360));
    display.wait_for_colour(left + 20, top + 20, RED);
    let dimmed = RED.map(|c| (u16::from(c) * 90 / 255) as u8);
    display.wait_for_colour(left + 20, top + 20, dimmed);
    program.say("trouble the camera is silent");
    let white =
        || display.count_colour(left + 160, top + 150, (320, 60), |pixel| pixel[0] > 200 && pixel[1] > 200);
    display.wait_until("the age is shown", || white() > 100);
    display.save("old.png");
    let cpu = program.cpu_seconds();
    display.pause(3.0);
    let cpu = program.cpu_seconds() - cpu;
    assert!(cpu < 1.0, "{cpu} s of processor time in 3 s without a new picture");
    program.say("colour 640 360 220 20 20");
    display.wait_for_colour(left + 20, top + 20, RED);
}

fn a_broken_image_leaves_the_picture_alone() {
    let Some(display) = Display::start() else { return };
    let mut program = Program::start(&display);
    program.say("colour 320 180 220 20 20");
    let (left, top, ..) = display.wait_for_window(|size| size == (320, 180));
    display.wait_for_colour(left + 160, top + 20, RED);
    program.say("broken");
    assert!(program.lines("undecodable 1"));
    display.wait_for_colour(left + 160, top + 20, RED);
    program.say("colour 320 180 20 200 20");
    display.wait_for_colour(left + 160, top + 20, GREEN);
}

fn the_program_can_close_it() {
    let Some(display) = Display::start() else { return };
    let mut program = Program::start(&display);
    display.wait_for_window(|_| true);
    program.say("close");
    assert!(program.lines("event Closed"));
    assert_eq!(program.end(), "Ok(())");
}

fn no_display_is_an_error_with_the_mend() {
    let cases = [(None, "no display"), (Some(":4711"), "cannot open a window")];
    for (display, words) in cases {
        let end = Program::start_on(display).end();
        assert!(end.contains(words) && end.contains("--no-window"), "{display:?}: {end}");
    }
}

/// What is left of the usual test harness: names to list and to choose from.
fn main() -> ExitCode {
    if program::is_asked_for() {
        return program::run();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    // "--format terse", "--test-threads 1" and the like bring values, which match no name.
    let chosen =
        |name: &str| match wanted.iter().any(|part| TESTS.iter().any(|(n, _)| n.contains(part.as_str()))) {
            _ if has("--ignored") => false,
            true if has("--exact") => wanted.iter().any(|part| name == part.as_str()),
            true => wanted.iter().any(|part| name.contains(part.as_str())),
            false => wanted.is_empty() || has("--list") || has("--test-threads"),
        };
    let mut out = std::io::stdout();
    let mut failed = false;
    for (name, test) in TESTS.iter().filter(|(name, _)| chosen(name)) {
        if has("--list") {
            let _ = writeln!(out, "{name}: test");
            continue;
        }
        let outcome = panic::catch_unwind(test);
        failed |= outcome.is_err();
        let _ = writeln!(out, "test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
