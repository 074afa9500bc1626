use super::*;
use crate::keys::state::test_folder;
use bech32::{Bech32m, Hrp};
use std::os::unix::fs::{PermissionsExt, symlink};

fn refusal(path: &Path) -> String {
    read(path).err().map(|why| why.to_string()).unwrap_or_default()
}

#[test]
fn a_key_comes_back_and_is_never_overwritten() {
    let folder = test_folder();
    let path = folder.path().join("secret.key");
    let made = create(&path, &[7; 32]).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(read(&path).unwrap().expose(), made.expose());
    let again = create(&path, &[8; 32]).unwrap_err().to_string();
    assert!(again.contains("never overwritten"), "{again}");
    assert_eq!(read(&path).unwrap().expose(), &[7; 32]);
}

#[test]
fn files_that_could_be_read_or_turned_by_others_are_refused_with_the_mend() {
    let folder = test_folder();
    let path = folder.path().join("secret.key");
    assert!(refusal(&path).contains("sealcam keygen"));
    create(&path, &[7; 32]).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o601] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        assert!(refusal(&path).contains("chmod 600"), "{mode:o}");
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    assert!(read(&path).is_ok());
    let link = folder.path().join("link.key");
    symlink(&path, &link).unwrap();
    assert!(refusal(&link).contains("symbolic link"));
    assert!(refusal(folder.path()).contains("not a regular file"));
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(refusal(&pipe).contains("not a regular file"));
}

#[test]
fn what_is_not_a_key_is_named() {
    let good = key_text::to_text(Sort::Shared, &[9; 32]).to_string();
    let prefix = Hrp::parse_unchecked("sealkey");
    let other = bech32::encode::<Bech32m>(Hrp::parse_unchecked("sealview"), &[9; 32]).unwrap();
    let short = bech32::encode::<Bech32m>(prefix, &[9; 31]).unwrap();
    let long = bech32::encode::<Bech32m>(prefix, &[9; 33]).unwrap();
    let mut typo = good.clone();
    typo.replace_range(20..21, if &good[20..21] == "q" { "p" } else { "q" });
    let cases = [
        ("tRQhcPXAzcKQJVBlQ8kFmd5s3MmZTmm1wX0cO1xXyzQ=".to_owned(), "Fernet"),
        ("-----BEGIN PRIVATE KEY-----\nMC4C\n".to_owned(), "PEM"),
        (String::new(), "holds no key"),
        ("# only a remark\n\n".to_owned(), "holds no key"),
        (typo, "damaged"),
        (good[..good.len() - 1].to_owned(), "damaged"),
        (other, "sealview key"),
        (
            key_text::to_text(Sort::Secret, &[9; 32]).to_string(),
            "holds the secret half of an identity (sealid1...)",
        ),
        (
            key_text::to_text(Sort::Public, &[9; 32]).to_string(),
            "holds a public key (sealpub1...), where a shared",
        ),
        (short, "32 bytes"),
        (long, "32 bytes"),
        (format!("{good}\n{good}\n"), "line 2: a second key"),
        ("x".repeat(5_000), "longer than 4096"),
    ];
    let folder = test_folder();
    for (nth, (text, why)) in cases.into_iter().enumerate() {
        let path = folder.path().join(nth.to_string());
        let mut file = options_to_create().open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let refusal = refusal(&path);
        assert!(refusal.contains(why) && !refusal.contains(&good[10..30]), "{refusal}, not {why}");
    }
    let path = folder.path().join("binary");
    options_to_create().open(&path).unwrap().write_all(&[0xff; 32]).unwrap();
    assert!(refusal(&path).contains("not text"));
    let path = folder.path().join("windows");
    options_to_create().open(&path).unwrap().write_all(format!("# note\r\n{good}\r\n").as_bytes()).unwrap();
    assert_eq!(read(&path).unwrap().expose(), &[9; 32]);
}
