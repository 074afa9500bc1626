//! The code generation flags that `.cargo/config.toml` asks for have arrived.
//!
//! Cargo takes `RUSTFLAGS` of the environment *instead of* the flags in its configuration, without a word.
//! The programs then still work, but seal and open at half the speed on x86-64. Packages, which must run on
//! every processor, are built without these flags on purpose: they set `SEALCAM_BASELINE`.

use std::env;
use std::path::Path;

#[test]
fn the_processor_features_are_known_at_compile_time() {
    if env::var_os("SEALCAM_BASELINE").is_some() {
        return;
    }
    let (wanted, there) = if cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")) {
        ("avx2", cfg!(target_feature = "avx2"))
    } else if cfg!(target_arch = "aarch64") {
        ("neon", cfg!(target_feature = "neon"))
    } else {
        return;
    };
    assert!(
        there,
        "built without {wanted}: RUSTFLAGS or CARGO_ENCODED_RUSTFLAGS in the environment replace the flags of \
         .cargo/config.toml as a whole. Unset them (deny warnings with `cargo clippy -- -D warnings`), add \
         `-C target-cpu=x86-64-v3` to them, or set SEALCAM_BASELINE=1 if a slower build is meant"
    );
}

#[test]
fn the_time_of_building_is_not_that_of_the_clock() {
    assert!(
        option_env!("SOURCE_DATE_EPOCH").is_some(),
        "the JPEG library writes the time of its building into the program: [env] of .cargo/config.toml sets it"
    );
}

#[test]
fn the_container_images_name_the_target_s_headers_to_bindgen() {
    let cross = Path::new(env!("CARGO_MANIFEST_DIR")).join("cross");
    for (board, triple) in
        [("aarch64", "aarch64-linux-gnu"), ("armv7", "arm-linux-gnueabihf"), ("x86_64", "x86_64-linux-gnu")]
    {
        let image = std::fs::read_to_string(cross.join(format!("Dockerfile.{board}"))).expect("an image");
        let arguments = format!("\"--target={triple} -I/usr/{triple}/include\"");
        assert!(
            image.contains(&arguments),
            "cross/Dockerfile.{board}: BINDGEN_EXTRA_CLANG_ARGS: {arguments}"
        );
    }
}
