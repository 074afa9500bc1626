use std::fs;

use super::*;
use crate::keys::state::test_folder;

#[test]
fn an_identity_is_made_once_and_comes_back() {
    let folder = test_folder();
    let made = load_or_create(folder.state()).unwrap();
    let text = fs::read_to_string(path(folder.state())).unwrap();
    assert!(made.is_new && text.contains(&made.secret.public().fingerprint().to_string()), "{made:?}");
    let again = load_or_create(folder.state()).unwrap();
    assert!(!again.is_new);
    assert_eq!(again.secret.expose(), made.secret.expose());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path(folder.state())).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
}

#[test]
fn two_that_start_at_once_agree() {
    let folder = test_folder();
    let publics: Vec<PublicKey> = std::thread::scope(|scope| {
        let load = || load_or_create(folder.state()).unwrap().secret.public();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(publics.iter().all(|public| *public == publics[0]), "{publics:?}");
}

/// Power can fail at any byte of the temporary file: none of that is ever taken for an identity.
#[test]
fn a_half_written_identity_is_none() {
    let folder = test_folder();
    let secret = StaticSecret::from_bytes([5; 32]);
    let text = key_file::text_of_secret(&secret);
    for cut in 0..=text.len() {
        fs::write(folder.path().join(format!(".{NAME}.new")), &text[..cut]).unwrap();
        assert!(load(folder.state()).unwrap().is_none(), "{cut}");
    }
    let made = load_or_create(folder.state()).unwrap();
    assert_ne!(made.secret.expose(), secret.expose());
}

#[cfg(unix)]
#[test]
fn a_file_that_is_not_right_is_left_alone_and_told_with_the_mend() {
    use std::os::unix::fs::PermissionsExt;
    let folder = test_folder();
    let path = path(folder.state());
    let shared = key_text::to_text(Sort::Shared, &[5; 32]).to_string();
    let whole = key_text::to_text(Sort::Secret, &[5; 32]).to_string();
    // (text, mode, words)
    let cases = [
        (
            &*shared,
            0o600,
            ["holds a shared key (sealkey1...)", "the secret half of an identity (sealid1...)"],
        ),
        (&whole[..50], 0o600, ["damaged", "move the file away"]),
        ("", 0o600, ["holds no key", "put a copy of it back"]),
        (&*whole, 0o640, ["can be read by others", "chmod 600"]),
    ];
    for (text, mode, words) in cases {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let why = load_or_create(folder.state()).unwrap_err().to_string();
        assert!(words.iter().all(|word| why.contains(word)) && !why.contains(&whole[10..30]), "{why}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
    let why = load_or_create(folder.state()).unwrap_err().to_string();
    assert!(why.contains("symbolic link"), "{why}");
}

#[test]
fn public_keys_are_text_and_secrets_pasted_by_mistake_are_not_repeated() {
    let key = StaticSecret::from_bytes([5; 32]).public();
    let text = public_key_to_text(&key);
    assert_eq!(text.len(), 66);
    assert_eq!(public_key_from_text(&text).unwrap(), key);
    assert_eq!(public_key_from_text(&text.to_uppercase()).unwrap(), key);
    let secret = key_text::to_text(Sort::Secret, &[5; 32]).to_string();
    let shared = key_text::to_text(Sort::Shared, &[5; 32]).to_string();
    let hrp = bech32::Hrp::parse_unchecked("sealpub");
    let short = bech32::encode::<bech32::Bech32m>(hrp, &[5; 31]).unwrap();
    let cases = [
        (&*secret, "the secret half of an identity (sealid1...), which must never be given"),
        (&secret[..30], "must never be given"),
        (&*shared, "a shared key (sealkey1...), which must never be given"),
        (&text[..65], "not a whole public key"),
        ("anna", "not a whole public key"),
        ("", "not a whole public key"),
        (&*short, "a public key is 32 bytes"),
    ];
    for (wrong, words) in cases {
        let why = public_key_from_text(wrong).unwrap_err().to_string();
        assert!(why.contains(words) && why.contains("sealview identity"), "{why}");
        assert!(!why.contains(&secret[8..20]) && !why.contains(&shared[8..20]), "{why}");
    }
}
