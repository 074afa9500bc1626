//! The build script: how the firmware is linked for a board.
//!
//! LLVM's linker makes the program a twentieth smaller than GNU's, which is what Debian's cross compilers take:
//! it pads nothing up to the largest page that there could be, writes relocations in the packed form that
//! glibc 2.36 reads (a few kB instead of 60), and keeps one of functions that are the same.
//!
//! Only for the programs that are taken to a board. One that stays on the machine that made it, be it a board
//! itself, is linked as Rust sees fit there: its distribution may be older, and need not have that linker.

#![allow(clippy::disallowed_macros, reason = "that is how a build script speaks to Cargo")]

use std::env;
use std::path::Path;

/// Of one version, as that decides about the bytes; cross/packages.list has it. The cross compilers do not
/// look for it on PATH.
const LINKER: &str = "/usr/lib/llvm-19/bin";

/// What the firmware never asks of libjpeg: enlarging while decoding, pictures of few colours, progressive
/// encoding, and trellis quantisation with its table of 64 kB. Each call, of which none is made, would come to the function beside it, which takes the same first
/// arguments; what it is instead of is then left out, 120 kB in all.
const LEFT_OUT: [(&str, &str); 12] = [
    ("jpeg_idct_9x9", "jpeg_idct_islow"),
    ("jpeg_idct_10x10", "jpeg_idct_islow"),
    ("jpeg_idct_11x11", "jpeg_idct_islow"),
    ("jpeg_idct_12x12", "jpeg_idct_islow"),
    ("jpeg_idct_13x13", "jpeg_idct_islow"),
    ("jpeg_idct_14x14", "jpeg_idct_islow"),
    ("jpeg_idct_15x15", "jpeg_idct_islow"),
    ("jpeg_idct_16x16", "jpeg_idct_islow"),
    ("jinit_1pass_quantizer", "jinit_upsampler"),
    ("jinit_2pass_quantizer", "jinit_upsampler"),
    ("jinit_phuff_encoder", "jinit_huff_encoder"),
    ("quantize_trellis", "jpeg_abort"),
];

fn main() {
    println!("cargo:rerun-if-changed=cross/link.rs");
    println!("cargo:rerun-if-env-changed=SEALCAM_FOR_BOARDS");
    let variable = |name| env::var(name).unwrap_or_default();
    let (host, target) = (variable("HOST"), variable("TARGET"));
    const BOARDS: [&str; 3] =
        ["aarch64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf", "x86_64-unknown-linux-gnu"];
    // cross/build says so on a machine of the board's own kind.
    if !BOARDS.contains(&target.as_str()) || (host == target && env::var_os("SEALCAM_FOR_BOARDS").is_none()) {
        return;
    }
    println!("cargo:rerun-if-changed={LINKER}/ld.lld");
    if !Path::new(LINKER).join("ld.lld").exists() {
        println!(
            "cargo:warning=no {LINKER}/ld.lld: the firmware becomes larger (sh cross/packages install aarch64)"
        );
        return;
    }
    let arguments = [
        &format!("-B{LINKER}"),
        "-fuse-ld=lld",
        // Nothing here compares functions by address, and Rust promises nothing about that.
        "-Wl,--icf=all",
        "-Wl,-z,pack-relative-relocs",
    ];
    for argument in arguments {
        println!("cargo:rustc-link-arg-bin=sealcam={argument}");
    }
    for (name, instead) in LEFT_OUT {
        println!("cargo:rustc-link-arg-bin=sealcam=-Wl,--wrap={name},--defsym=__wrap_{name}={instead}");
    }
}
