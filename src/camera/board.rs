//! What the board tells of itself: temperatures, and whether it holds its processor back.
//!
//! Only files of sysfs are read, and only those that are there. A Raspberry Pi's firmware tells of low
//! voltage and throttling in `get_throttled`, the number that `vcgencmd get_throttled` prints.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a board tells.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Board {
    /// Temperatures by the name of the sensor.
    pub temperatures: Vec<Temperature>,
    /// Why the processor is held back, where the board tells.
    pub throttling: Option<Throttling>,
}

/// One sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Temperature {
    /// Its name: `cpu-thermal`.
    pub sensor: String,
    /// Degrees Celsius.
    pub celsius: f64,
}

/// Why the processor is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Throttling {
    /// At this moment.
    pub now: Causes,
    /// At any time since the board was switched on.
    pub since_boot: Causes,
}

/// Causes of being held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Causes {
    /// The supply gives too little voltage.
    pub under_voltage: bool,
    /// The frequency is capped.
    pub frequency_capped: bool,
    /// The processor is throttled.
    pub throttled: bool,
    /// The soft limit of the temperature is reached.
    pub temperature_limit: bool,
}

impl Causes {
    /// Each cause with its name.
    #[must_use]
    pub const fn named(self) -> [(&'static str, bool); 4] {
        [
            ("under_voltage", self.under_voltage),
            ("frequency_capped", self.frequency_capped),
            ("throttled", self.throttled),
            ("temperature_limit", self.temperature_limit),
        ]
    }

    const fn of_bits(bits: u32) -> Self {
        Self {
            under_voltage: bits & 1 != 0,
            frequency_capped: bits & 2 != 0,
            throttled: bits & 4 != 0,
            temperature_limit: bits & 8 != 0,
        }
    }
}

/// Sensors that are listed.
const MOST: usize = 16;

impl Board {
    /// What this machine tells.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::below(Path::new("/sys"))
    }

    /// What the sysfs at `sys` tells.
    #[must_use]
    pub fn below(sys: &Path) -> Self {
        Self { temperatures: temperatures(sys), throttling: firmware(sys).or_else(|| voltage_alarm(sys)) }
    }
}

fn temperatures(sys: &Path) -> Vec<Temperature> {
    let folder = fs::read_dir(sys.join("class/thermal"));
    let mut zones: Vec<_> = folder
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"thermal_zone"))
        .map(|entry| entry.path())
        .collect();
    zones.sort();
    let read = |zone: &Path| {
        let celsius = text(&zone.join("temp"))?.parse::<f64>().ok()? / 1000.0;
        Some(Temperature { sensor: text(&zone.join("type"))?, celsius })
    };
    zones.iter().filter_map(|zone| read(zone)).take(MOST).collect()
}

/// The Raspberry Pi's firmware: four causes now in the low bits, and the same since boot from bit 16 on.
fn firmware(sys: &Path) -> Option<Throttling> {
    let said = firmware_folders(sys).iter().find_map(|folder| text(&folder.join("get_throttled")))?;
    let bits = u32::from_str_radix(said.trim_start_matches("0x"), 16).ok()?;
    Some(Throttling { now: Causes::of_bits(bits), since_boot: Causes::of_bits(bits >> 16) })
}

/// `devices/platform/soc/soc:firmware`; newer boards have an address in both names.
fn firmware_folders(sys: &Path) -> Vec<PathBuf> {
    let named = |folder: &Path, fits: fn(&str) -> bool| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_str().is_some_and(fits))
            .map(|entry| entry.path())
            .collect()
    };
    let chips = named(&sys.join("devices/platform"), |name| name.starts_with("soc"));
    chips.iter().flat_map(|chip| named(chip, |name| name.ends_with("firmware"))).collect()
}

/// The alarm of the kernel's `raspberrypi-hwmon`, where the firmware's own file is missing.
fn voltage_alarm(sys: &Path) -> Option<Throttling> {
    let monitors = fs::read_dir(sys.join("class/hwmon")).ok()?;
    let ours = |path: &Path| text(&path.join("name")).as_deref() == Some("rpi_volt");
    let monitor = monitors.flatten().map(|entry| entry.path()).find(|path| ours(path))?;
    let alarm = text(&monitor.join("in0_lcrit_alarm"))? != "0";
    let now = Causes { under_voltage: alarm, ..Causes::default() };
    Some(Throttling { now, since_boot: now })
}

/// The one line of a file of sysfs.
fn text(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().chars().filter(|character| !character.is_control()).take(64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read_and_nothing_else_is_missed() {
        let folder = crate::keys::state::test_folder();
        let sys = folder.path();
        assert_eq!(Board::below(sys), Board::default());
        let write = |path: &str, text: &str| {
            let path = sys.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("class/thermal/thermal_zone0/type", "cpu-thermal\n");
        write("class/thermal/thermal_zone0/temp", "48312\n");
        write("class/thermal/thermal_zone1/type", "broken\n");
        write("class/thermal/cooling_device0/type", "fan\n");
        write("class/hwmon/hwmon0/name", "cpu_thermal\n");
        write("class/hwmon/hwmon1/name", "rpi_volt\n");
        write("class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
        let board = Board::below(sys);
        assert_eq!(board.temperatures, [Temperature { sensor: "cpu-thermal".into(), celsius: 48.312 }]);
        assert!(board.throttling.is_some_and(|it| it.now.under_voltage && !it.now.throttled));
        write("devices/platform/soc/soc:firmware/get_throttled", "50004\n");
        let throttling = Board::below(sys).throttling.unwrap();
        assert_eq!(throttling.now, Causes { throttled: true, ..Causes::default() });
        let before = Causes { under_voltage: true, throttled: true, ..Causes::default() };
        assert_eq!(throttling.since_boot, before);
    }
}
