//! Controls of a camera: exposure, focus, power-line frequency and the like.
//!
//! Which ones there are, and in which range, each camera says itself; types of controls that are not
//! known here are listed and left alone. A control that cannot be set is worth a warning, never the picture.
//! One that was set and is not to be any more goes back to the default that the driver names.

use core::fmt;
use std::path::Path;

use nix::errno::Errno;
use v4l::v4l_sys::{
    V4L2_CTRL_FLAG_DISABLED, V4L2_CTRL_FLAG_HAS_PAYLOAD, V4L2_CTRL_FLAG_INACTIVE, V4L2_CTRL_FLAG_NEXT_CTRL,
    V4L2_CTRL_FLAG_READ_ONLY,
};

use super::device::name as text_of;
use super::sys::{Node, Refused};

/// What a control is to be set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlSetting {
    /// Its name as the camera says it or as `v4l2-ctl` writes it (`power_line_frequency`), or its number
    /// (`0x00980918`).
    pub name: String,
    /// The value.
    pub value: ControlValue,
}

/// The value of a control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlValue {
    /// A number; 0 and 1 for a switch; the number of a menu's item.
    Number(i64),
    /// The name of a menu's item: `50 Hz`.
    Item(String),
}

impl fmt::Display for ControlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => write!(f, "{value}"),
            Self::Item(text) => write!(f, "{text:?}"),
        }
    }
}

/// What kind of values a control takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlKind {
    /// Numbers from `min` to `max`.
    Integer,
    /// The same in 64 bits.
    Large,
    /// 0 or 1.
    Switch,
    /// One of these items, by number or name.
    Menu(Vec<(u32, String)>),
    /// Any bits of `max`.
    Bits,
    /// Does something whenever it is set.
    Button,
    /// A text, which is not set here.
    Text,
    /// A structure or a list, which is not set here; its number in `v4l2_ctrl_type`.
    Other(u32),
}

/// A control as the camera describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Its number.
    pub id: u32,
    /// Its name, as `v4l2-ctl` writes it.
    pub name: String,
    /// What it takes.
    pub kind: ControlKind,
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
    /// From one value to the next, at least 1.
    pub step: u64,
    /// The value after a reset.
    pub default: i64,
    /// It can only be read.
    pub read_only: bool,
    /// It has no effect at the moment: an automatic mode decides.
    pub inactive: bool,
}

impl Control {
    /// What can be written for it.
    fn range(&self) -> Range<'_> {
        Range(self)
    }

    /// The number to set for `value`.
    fn number(&self, value: &ControlValue) -> Result<i64, String> {
        let refuse = || Err(format!("{} cannot be {value}: it takes {}", self.name, self.range()));
        if self.read_only {
            return Err(format!("{} can only be read", self.name));
        }
        let number = match (&self.kind, value) {
            (ControlKind::Text, _) => {
                return Err(format!("{} takes a text, which cannot be set from here", self.name));
            }
            (ControlKind::Other(kind), _) => {
                return Err(format!(
                    "{} takes a structure or a list (type {kind:#x}), which cannot be set from here",
                    self.name
                ));
            }
            (ControlKind::Menu(items), ControlValue::Item(text)) => {
                let item = items.iter().find(|(_, item)| item.eq_ignore_ascii_case(text));
                match item {
                    Some((number, _)) => i64::from(*number),
                    None => return refuse(),
                }
            }
            (ControlKind::Menu(items), ControlValue::Number(number)) => {
                if !items.iter().any(|(known, _)| i64::from(*known) == *number) {
                    return refuse();
                }
                *number
            }
            (_, ControlValue::Item(_)) => return refuse(),
            (ControlKind::Bits, ControlValue::Number(bits)) => {
                if bits & !self.max != 0 {
                    return refuse();
                }
                *bits
            }
            (ControlKind::Button, ControlValue::Number(number)) => *number,
            (_, ControlValue::Number(number)) => {
                let on_step = number.wrapping_sub(self.min).cast_unsigned() % self.step.max(1) == 0;
                if !(self.min..=self.max).contains(number) || !on_step {
                    return refuse();
                }
                *number
            }
        };
        Ok(number)
    }

    /// Sets it to a number that it takes.
    fn set(&self, node: &Node, number: i64) -> Result<(), Refused> {
        match self.kind {
            ControlKind::Large => node.set_large_control(self.id, number),
            // All 32 bits of a mask are used; the sign means nothing. All else was held to its range.
            _ => node.set_control(self.id, number as i32),
        }
    }

    /// Whether it decides how others behave: automatic modes are switches and menus.
    const fn is_mode(&self) -> bool {
        matches!(self.kind, ControlKind::Switch | ControlKind::Menu(_))
    }

    /// Whether it has a value that can be put back.
    const fn has_default(&self) -> bool {
        let settable = !matches!(self.kind, ControlKind::Button | ControlKind::Text | ControlKind::Other(_));
        settable && !self.read_only
    }
}

/// Prints `1 to 5000 in steps of 1, default 157`.
struct Range<'a>(&'a Control);

impl fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Control { kind, min, max, step, default, .. } = self.0;
        match kind {
            ControlKind::Integer | ControlKind::Large => {
                write!(f, "{min} to {max} in steps of {step}, default {default}")
            }
            ControlKind::Switch => write!(f, "true or false, default {}", *default != 0),
            ControlKind::Bits => write!(f, "bits of {max:#x}, default {default:#x}"),
            ControlKind::Button => f.write_str("any number, which sets it off"),
            ControlKind::Text => f.write_str("a text, which is not set from here"),
            ControlKind::Other(kind) => write!(f, "values of type {kind:#x}, which are not set from here"),
            ControlKind::Menu(items) => {
                f.write_str("one of ")?;
                for (at, (number, text)) in items.iter().enumerate() {
                    write!(f, "{}{number} {text:?}", if at == 0 { "" } else { ", " })?;
                }
                write!(f, ", default {default}")
            }
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.name, self.range())?;
        if self.read_only {
            f.write_str(" (read only)")?;
        }
        Ok(())
    }
}

/// All controls of a device but the headings between them; none where it knows nothing of controls.
pub(crate) fn controls(node: &Node) -> Vec<Control> {
    let mut found: Vec<Control> = Vec::new();
    let mut last = 0;
    while found.len() < MOST {
        let Ok(raw) = next(node, last) else { break };
        // A driver that does not go on must not keep us here.
        if raw.id <= last {
            break;
        }
        last = raw.id;
        if raw.flags & V4L2_CTRL_FLAG_DISABLED == 0 && raw.kind != HEADING {
            found.push(describe(node, &raw));
        }
    }
    found
}

/// Far more than any camera has.
const MOST: usize = 256;
/// Items of a menu that are asked for.
const MOST_ITEMS: u32 = 64;

// Numbers of `v4l2_ctrl_type`.
const INTEGER: u32 = 1;
const BOOLEAN: u32 = 2;
const MENU: u32 = 3;
const BUTTON: u32 = 4;
const INTEGER64: u32 = 5;
const HEADING: u32 = 6;
const STRING: u32 = 7;
const BITMASK: u32 = 8;
const INTEGER_MENU: u32 = 9;

/// What both calls that describe a control say.
struct Raw {
    id: u32,
    kind: u32,
    name: String,
    min: i64,
    max: i64,
    step: u64,
    default: i64,
    flags: u32,
}

/// The control after `id`, by the newer call or else the older one.
fn next(node: &Node, id: u32) -> Result<Raw, Refused> {
    let id = id | V4L2_CTRL_FLAG_NEXT_CTRL;
    match node.extended_control(id) {
        Ok(control) => Ok(Raw {
            id: control.id,
            kind: control.type_,
            // Bytes of text, signed or not as the target has it.
            name: text_of(&control.name.map(|byte| byte as u8)),
            min: control.minimum,
            max: control.maximum,
            step: control.step,
            default: control.default_value,
            flags: control.flags,
        }),
        Err(Refused { errno: Errno::ENOTTY, .. }) => node.control(id).map(|control| Raw {
            id: control.id,
            kind: control.type_,
            name: text_of(&control.name),
            min: control.minimum.into(),
            max: control.maximum.into(),
            step: u64::from(control.step.unsigned_abs()),
            default: control.default_value.into(),
            flags: control.flags,
        }),
        Err(refused) => Err(refused),
    }
}

fn describe(node: &Node, raw: &Raw) -> Control {
    let kind = match raw.kind {
        STRING => ControlKind::Text,
        // A list of numbers has the type of its elements.
        other if raw.flags & V4L2_CTRL_FLAG_HAS_PAYLOAD != 0 => ControlKind::Other(other),
        INTEGER64 => ControlKind::Large,
        INTEGER => ControlKind::Integer,
        BOOLEAN => ControlKind::Switch,
        BITMASK => ControlKind::Bits,
        BUTTON => ControlKind::Button,
        MENU | INTEGER_MENU => ControlKind::Menu(items(node, raw)),
        other => ControlKind::Other(other),
    };
    Control {
        id: raw.id,
        name: plain(&raw.name),
        kind,
        min: raw.min,
        max: raw.max,
        step: raw.step.max(1),
        default: raw.default,
        read_only: raw.flags & V4L2_CTRL_FLAG_READ_ONLY != 0,
        inactive: raw.flags & V4L2_CTRL_FLAG_INACTIVE != 0,
    }
}

/// The items that a menu has; numbers in between may be missing.
fn items(node: &Node, raw: &Raw) -> Vec<(u32, String)> {
    let first = u32::try_from(raw.min).unwrap_or(0);
    let last = u32::try_from(raw.max).unwrap_or(0).min(first.saturating_add(MOST_ITEMS));
    (first..=last)
        .filter_map(|index| {
            let (text, value) = node.menu_item(raw.id, index).ok()?;
            Some((index, if raw.kind == MENU { text_of(&text) } else { value.to_string() }))
        })
        .collect()
}

/// A name as `v4l2-ctl` writes it: `Exposure Time, Absolute` is `exposure_time_absolute`.
fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            plain.push(character.to_ascii_lowercase());
        } else if !plain.is_empty() && !plain.ends_with('_') {
            plain.push('_');
        }
    }
    plain.truncate(plain.trim_end_matches('_').len());
    plain
}

/// The control that a setting means.
fn meant<'a>(name: &str, known: &'a [Control]) -> Result<&'a Control, String> {
    let number = match name.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => name.parse().ok(),
    };
    let wanted = plain(name);
    let found = known.iter().find(|control| Some(control.id) == number || control.name == wanted);
    found.ok_or_else(|| {
        if known.is_empty() {
            return format!("{name}: this camera has no controls that can be set");
        }
        let names: Vec<&str> = known.iter().map(|control| control.name.as_str()).collect();
        format!("{name} is no control of this camera, which has {}", names.join(", "))
    })
}

/// Sets what is asked for, and puts the controls called as in `undo` back to their defaults unless they are
/// asked for; what cannot be set is told in one warning each.
///
/// Switches and menus are set first: they turn off the automatic modes that hold the other controls. What was
/// refused is tried once more behind all others, for the same reason. Putting back goes the other way, while
/// the mode that let the values be set is still there.
pub(super) fn apply(node: &Node, path: &Path, settings: &[ControlSetting], undo: &[String]) {
    if settings.is_empty() && undo.is_empty() {
        return;
    }
    let known = controls(node);
    let path = path.display();
    let mut chosen: Vec<(&Control, i64)> = Vec::with_capacity(settings.len());
    for ControlSetting { name, value } in settings {
        match meant(name, &known).and_then(|control| Ok((control, control.number(value)?))) {
            Ok(setting) => chosen.push(setting),
            Err(why) => log::warn!("{path}: control {why}"),
        }
    }
    let mut gone: Vec<&Control> = undo.iter().filter_map(|name| meant(name, &known).ok()).collect();
    gone.retain(|control| control.has_default() && !chosen.iter().any(|(other, _)| other.id == control.id));
    gone.sort_by_key(|control| control.is_mode());
    for control in gone {
        match control.set(node, control.default) {
            Ok(()) => log::info!("{path}: control {} is at its default again", control.name),
            Err(why) => log::warn!("{path}: control {} cannot be put back: {why}", control.name),
        }
    }
    chosen.sort_by_key(|(control, _)| !control.is_mode());
    chosen.retain(|(control, value)| control.set(node, *value).is_err());
    for (control, value) in chosen {
        if let Err(why) = control.set(node, value) {
            let held = if control.inactive { "; an automatic mode holds it: set that one too" } else { "" };
            log::warn!("{path}: control {} cannot be set to {value}: {why}{held}", control.name);
        }
    }
}

#[cfg(test)]
#[path = "controls_tests.rs"]
mod tests;
