SUMMARY = "Sends a camera's frames as small sealed datagrams"
DESCRIPTION = "Takes JPEG or raw frames from V4L2 cameras and sends them encrypted and \
               authenticated over UDP, with little and honest latency."
SECTION = "multimedia"
LICENSE = "MIT & IJG & Zlib & BSD-3-Clause"
# The JPEG library's is in sealcam-crates.inc, beside its version.
LIC_FILES_CHKSUM = "file://LICENSE;md5=09d8fc8cf113b2cec3cd616cd98d539f"

# bindgen reads the kernel's V4L2 header through libclang.
DEPENDS += "clang-native"
# Without it the JPEG codec is silently built without SIMD.
DEPENDS:append:x86-64 = " nasm-native"

PV = "0.1.0+git"

# The repository that this layer lies in: its last commit is what is built. local.conf may name another.
SEALCAM_REPOSITORY ?= "${@os.path.realpath(os.path.join(d.getVar('FILE_DIRNAME'), '../../../..'))}"
SRC_URI = "git://${SEALCAM_REPOSITORY};protocol=file;usehead=1;nobranch=1;destsuffix=sealcam \
           file://Cargo.lock \
           file://firmware-only.sed \
           "

require sealcam-crates.inc

# nooelint: oelint.vars.autorev - the commit is that of the layer itself
SRCREV = "${AUTOREV}"

# Releases before styhead unpack into WORKDIR.
SEALCAM_UNPACKED = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"
S = "${SEALCAM_UNPACKED}/sealcam"

inherit cargo features_check systemd useradd

REQUIRED_DISTRO_FEATURES = "systemd"

export LIBCLANG_PATH = "${STAGING_LIBDIR_NATIVE}"
export BINDGEN_EXTRA_CLANG_ARGS = "--sysroot=${STAGING_DIR_TARGET}"

# Stripping is the packaging's affair, which keeps the symbols aside.
CARGO_BUILD_FLAGS += "--no-default-features --features camera --bin sealcam --config profile.release.strip=false"

# The manifest without the receiver's window, and the Cargo.lock that goes with it (yocto/crates).
do_configure:prepend() {
    sed -i -f ${SEALCAM_UNPACKED}/firmware-only.sed ${S}/Cargo.toml
    install -m 0644 ${SEALCAM_UNPACKED}/Cargo.lock ${S}/Cargo.lock
}

# What must go with the program: the licences of all that is linked into it, and the list of its parts.
do_compile:append() {
    ${S}/cross/notices ${SEALCAM_PARTS_OF} ${B}/assets
}
SEALCAM_PARTS_OF = "${@{'arm': 'armv7-unknown-linux-gnueabihf'}.get(d.getVar('TARGET_ARCH'), \
                       d.getVar('TARGET_ARCH') + '-unknown-linux-gnu')}"

do_install:append() {
    install -d ${D}${datadir}/sealcam
    install -m 0644 ${B}/assets/NOTICES ${B}/assets/sealcam.cdx.json ${D}${datadir}/sealcam/

    install -d ${D}${systemd_system_unitdir} ${D}${sysconfdir}/sealcam
    install -m 0644 ${S}/cross/debian/sealcam.service ${D}${systemd_system_unitdir}/
    install -m 0644 ${S}/cross/debian/sealcam.toml ${D}${sysconfdir}/sealcam/

    install -d ${D}${nonarch_base_libdir}/udev/rules.d ${D}${nonarch_libdir}/sysctl.d
    install -m 0644 ${S}/cross/debian/65-sealcam.rules ${D}${nonarch_base_libdir}/udev/rules.d/
    install -m 0644 ${S}/cross/debian/sysctl.d/30-sealcam.conf ${D}${nonarch_libdir}/sysctl.d/

    install -d ${D}${systemd_system_unitdir}/sealcam.service.d
    install -m 0644 ${S}/cross/debian/libcamerify.conf ${D}${systemd_system_unitdir}/sealcam.service.d/
}

SYSTEMD_SERVICE:${PN} = "sealcam.service"

USERADD_PACKAGES = "${PN}"
USERADD_PARAM:${PN} = "--system --user-group --no-create-home --home-dir ${localstatedir}/lib/sealcam \
                       --shell ${base_sbindir}/nologin sealcam"

CONFFILES:${PN} = "${sysconfdir}/sealcam/sealcam.toml"
FILES:${PN} += "${nonarch_base_libdir}/udev/rules.d ${nonarch_libdir}/sysctl.d"

# Cameras on the ribbon cable: the drop-in that starts the service under libcamerify.
PACKAGE_BEFORE_PN = "${PN}-libcamera"
FILES:${PN}-libcamera += "${systemd_system_unitdir}/sealcam.service.d/libcamerify.conf"
RDEPENDS:${PN}-libcamera += "${PN} libcamera"
