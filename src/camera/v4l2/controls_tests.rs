//! Names, ranges and meanings of controls.

use super::*;

fn control(name: &str, kind: ControlKind, (min, max, step): (i64, i64, u64)) -> Control {
    let (id, name) = (0x98_0900 + name.len() as u32, name.to_owned());
    Control { id, name, kind, min, max, step, default: min, read_only: false, inactive: false }
}

fn number(value: i64) -> ControlValue {
    ControlValue::Number(value)
}

fn item(text: &str) -> ControlValue {
    ControlValue::Item(text.to_owned())
}

#[test]
fn names_are_those_of_v4l2_ctl() {
    let cases = [
        ("Exposure Time, Absolute", "exposure_time_absolute"),
        ("White Balance, Automatic", "white_balance_automatic"),
        ("Power Line Frequency", "power_line_frequency"),
        ("  -- ", ""),
        ("Focus (Absolute)", "focus_absolute"),
    ];
    for (name, expected) in cases {
        assert_eq!(plain(name), expected);
    }
}

#[test]
fn values_are_held_to_the_range_which_is_named() {
    let menu = ControlKind::Menu(vec![(0, "Disabled".into()), (1, "50 Hz".into()), (3, "Auto".into())]);
    let exposure = control("exposure", ControlKind::Integer, (3, 2047, 4));
    let power = control("power", menu, (0, 3, 1));
    let switch = control("autofocus", ControlKind::Switch, (0, 1, 1));
    let bits = control("bits", ControlKind::Bits, (0, 0xff00_0001, 0));
    let button = control("reset", ControlKind::Button, (0, 0, 0));
    let strange = control("roi", ControlKind::Other(0x107), (0, 0, 0));
    let large = control("large", ControlKind::Large, (0, i64::MAX, 1));
    let text = control("text", ControlKind::Text, (0, 31, 1));
    // (control, value, number or words of the refusal)
    let cases = [
        (&exposure, number(3), Ok(3)),
        (&exposure, number(2047), Ok(2047)),
        (&exposure, number(2), Err("3 to 2047 in steps of 4, default 3")),
        (&exposure, number(2048), Err("exposure cannot be 2048: it takes 3 to")),
        (&exposure, number(5), Err("steps of 4")),
        (&exposure, number(i64::MIN), Err("3 to 2047")),
        (&exposure, item("much"), Err("\"much\": it takes 3 to 2047")),
        (&power, item("50 hz"), Ok(1)),
        (&power, number(3), Ok(3)),
        (&power, number(2), Err("one of 0 \"Disabled\", 1 \"50 Hz\", 3 \"Auto\", default 0")),
        (&power, item("60 Hz"), Err("one of")),
        (&switch, number(1), Ok(1)),
        (&switch, number(2), Err("true or false")),
        (&bits, number(0xff00_0001), Ok(0xff00_0001)),
        (&bits, number(2), Err("bits of 0xff000001")),
        (&button, number(7), Ok(7)),
        (
            &strange,
            number(1),
            Err("roi takes a structure or a list (type 0x107), which cannot be set from here"),
        ),
        (&large, number(1 << 40), Ok(1 << 40)),
        (&large, number(-1), Err("large cannot be -1: it takes 0 to 9223372036854775807")),
        (&text, number(1), Err("text takes a text, which cannot be set from here")),
        (&text, item("a"), Err("text takes a text")),
    ];
    for (control, value, expected) in cases {
        match (control.number(&value), expected) {
            (Ok(number), Ok(expected)) => assert_eq!(number, expected, "{control} {value}"),
            (Err(why), Err(words)) => assert!(why.contains(words), "{why}"),
            (result, _) => panic!("{control} {value}: {result:?}"),
        }
    }
    let locked = Control { read_only: true, ..exposure };
    assert_eq!(locked.number(&number(3)), Err("exposure can only be read".into()));
}

#[test]
fn a_control_is_meant_by_name_or_number() {
    let known = [control("gain", ControlKind::Integer, (0, 1, 1))];
    for name in ["gain", "Gain", "0x980904", "9963780"] {
        assert_eq!(meant(name, &known), Ok(&known[0]), "{name}");
    }
    for name in ["gian", "0x1", "1", "0xzz", ""] {
        assert!(meant(name, &known).unwrap_err().ends_with("which has gain"), "{name}");
    }
    assert!(meant("gain", &[]).unwrap_err().contains("no controls"));
}
