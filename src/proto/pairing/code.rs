//! The code that a person carries from the camera to the viewer.

use core::fmt;
use core::str::FromStr;

use heapless::String as FixedString;
use zeroize::Zeroize;

use crate::proto::random::Random;

/// Letters and digits that are not mistaken for each other (Crockford's base 32): 5 bits each.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

const LONGEST: usize = 26;

/// How many letters the secret has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretLength {
    /// Six, for a person to type: 30 bits.
    Typed,
    /// 26, for a QR code to carry: 130 bits.
    Scanned,
}

impl SecretLength {
    const fn letters(self) -> usize {
        match self {
            Self::Typed => 6,
            Self::Scanned => LONGEST,
        }
    }
}

/// `CHANNEL-SECRET`, such as `48213-k7m2qx`. The secret half is wiped when dropped, and printed only by
/// [`Code::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    channel: u32,
    secret: FixedString<LONGEST>,
}

impl Code {
    /// A new code.
    pub fn new(length: SecretLength, random: &mut impl Random) -> Self {
        // Five digits, none of them left out in writing; the bias is of no use to anyone, it is public.
        let channel = 10_000 + u32::from_le_bytes(random.array()) % 90_000;
        let mut bytes = [0; LONGEST];
        random.fill(&mut bytes);
        let mut secret = FixedString::new();
        for byte in bytes.iter().take(length.letters()) {
            // There is room for all of them.
            let _ = secret.push(char::from(ALPHABET[usize::from(byte % 32)]));
        }
        bytes.zeroize();
        Self { channel, secret }
    }

    /// The public half.
    #[must_use]
    pub const fn channel(&self) -> u32 {
        self.channel
    }

    /// The whole code, to be shown to the person that pairs.
    #[must_use]
    pub fn reveal(&self) -> FixedString<32> {
        self.password()
    }

    /// What SPAKE2 is fed with: channel and secret, so that neither fits with another's other half.
    pub(super) fn password(&self) -> FixedString<32> {
        let mut text = FixedString::new();
        // Five digits, a hyphen and 26 letters.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{}-{}", self.channel, self.secret));
        text
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        let mut bytes = core::mem::take(&mut self.secret).into_bytes();
        bytes.as_mut_slice().zeroize();
    }
}

impl FromStr for Code {
    type Err = NotACode;

    /// Takes capitals, blanks between the letters, and letters that look like digits of the code.
    fn from_str(text: &str) -> Result<Self, NotACode> {
        let (channel, rest) = text.trim().split_once('-').ok_or(NotACode)?;
        let digits = channel.len() == 5 && channel.bytes().all(|byte| byte.is_ascii_digit());
        let channel = channel.parse().ok().filter(|channel| digits && *channel >= 10_000).ok_or(NotACode)?;
        let mut secret = FixedString::new();
        for letter in rest.chars().filter(|letter| !matches!(letter, '-' | ' ')) {
            let letter = match letter.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                letter if ALPHABET.contains(&u8::try_from(letter).unwrap_or(0)) => letter,
                _ => return Err(NotACode),
            };
            secret.push(letter).map_err(|_| NotACode)?;
        }
        let known = [SecretLength::Typed, SecretLength::Scanned];
        if !known.iter().any(|length| length.letters() == secret.len()) {
            return Err(NotACode);
        }
        Ok(Self { channel, secret })
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({}-..)", self.channel)
    }
}

/// A text that is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACode;

impl fmt::Display for NotACode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code is what `sealcam pair` shows: five digits, a hyphen and six letters or digits, such as 48213-k7m2qx")
    }
}

impl core::error::Error for NotACode {}
