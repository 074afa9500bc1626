//! What two paired ends call each other, and what one may do at the other.

use core::fmt;
use core::str::FromStr;

/// What a viewer may do at a camera. Each role may also do what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Role {
    /// Watch.
    #[default]
    View,
    /// Change the picture: quality, rate, source, area, the camera's controls.
    Tune,
    /// Let viewers in and put them out.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::View, Self::Tune, Self::Admin];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Tune => "tune",
            Self::Admin => "admin",
        }
    }

    /// Reads a role from its byte on the wire.
    #[must_use]
    pub const fn from_wire(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::View),
            1 => Some(Self::Tune),
            2 => Some(Self::Admin),
            _ => None,
        }
    }

    /// Its byte on the wire.
    #[must_use]
    pub const fn to_wire(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(UnknownRole)
    }
}

/// No role is called that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownRole;

impl fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a role is view, tune or admin")
    }
}

impl core::error::Error for UnknownRole {}

/// The name of a camera or viewer: 1 to [`Name::MAX`] letters, digits, `-`, `_` or `.`, the first a letter or
/// digit, all ASCII: it is shown in terminals, stands in files and becomes a label of the domain name system.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Name {
    /// Bytes of the longest name.
    pub const MAX: usize = 32;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)])
            .unwrap_or_else(|_| unreachable!("names are ASCII"))
    }

    /// The nearest name to `text`: what cannot stand in a name becomes `-`, what is too long is cut.
    #[must_use]
    pub fn near(text: &str) -> Option<Self> {
        let mut near = heapless::String::<{ Self::MAX }>::new();
        let letters = text.chars().skip_while(|c| !c.is_ascii_alphanumeric());
        for letter in letters.map(|c| if is_allowed(c) { c } else { '-' }) {
            if near.push(letter).is_err() {
                break;
            }
        }
        near.parse().ok()
    }
}

fn is_allowed(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.')
}

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts_well || text.len() > Self::MAX || !text.chars().all(is_allowed) {
            return Err(NotAName);
        }
        let mut bytes = [0; Self::MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        // At most 32.
        Ok(Self { bytes, len: text.len() as u8 })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAName;

impl fmt::Display for NotAName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a name is 1 to {} letters, digits, '-', '_' or '.', and begins with a letter or digit",
            Name::MAX
        )
    }
}

impl core::error::Error for NotAName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_can_be_shown_anywhere() {
        for good in ["a", "anna", "Barn-2", "cam.local", "x_1", &"a".repeat(32)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for wrong in ["", "-a", ".a", "a b", "a\n", "\u{1b}[2J", "käse", &"a".repeat(33), "a/b", "a:1"] {
            assert_eq!(wrong.parse::<Name>(), Err(NotAName), "{wrong:?}");
        }
        assert_eq!(Name::near("  Käse Hof/1").unwrap().as_str(), "K-se-Hof-1");
        assert_eq!(Name::near(&"ab".repeat(40)).unwrap().as_str().len(), Name::MAX);
        assert_eq!(Name::near("--"), None);
    }

    #[test]
    fn roles_go_both_ways_and_contain_each_other() {
        for role in Role::ALL {
            assert_eq!(Role::from_wire(role.to_wire()), Some(role));
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert!(Role::View < Role::Tune && Role::Tune < Role::Admin);
        assert_eq!(Role::from_wire(3), None);
        assert!("root".parse::<Role>().is_err());
    }
}
