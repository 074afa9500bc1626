SUMMARY = "Writable folders for sealcam on a read-only system"
DESCRIPTION = "Mounts the partition with the label sealcam, and lays its folders over those of sealcam's \
               configuration, key and state and of the Wi-Fi's configuration."
SECTION = "base"
LICENSE = "MIT"
# nooelint: oelint.var.licenseremotefile - its sources are the files beside this recipe
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = "file://sealcam-state \
           file://sealcam-state.service \
           file://state.mount \
           file://10-sealcam.conf \
           "

# Releases before styhead unpack into WORKDIR.
SEALCAM_UNPACKED = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"
S = "${SEALCAM_UNPACKED}"

inherit allarch features_check systemd

REQUIRED_DISTRO_FEATURES = "systemd"

do_install() {
    install -d ${D}${sbindir} ${D}${systemd_system_unitdir} ${D}${systemd_unitdir}/networkd.conf.d
    install -m 0755 ${SEALCAM_UNPACKED}/sealcam-state ${D}${sbindir}/
    install -m 0644 ${SEALCAM_UNPACKED}/sealcam-state.service ${D}${systemd_system_unitdir}/
    install -m 0644 ${SEALCAM_UNPACKED}/state.mount ${D}${systemd_system_unitdir}/
    install -m 0644 ${SEALCAM_UNPACKED}/10-sealcam.conf ${D}${systemd_unitdir}/networkd.conf.d/

    # What is mounted, and where it is laid.
    install -d ${D}/state ${D}${sysconfdir}/sealcam ${D}${sysconfdir}/wpa_supplicant ${D}${localstatedir}/lib/sealcam
}

# The mount is brought by the service that needs it.
SYSTEMD_SERVICE:${PN} = "sealcam-state.service"

FILES:${PN} += "/state ${systemd_unitdir}/networkd.conf.d ${systemd_system_unitdir}/state.mount"

# busybox's sync knows no -f before 1.36.
RDEPENDS:${PN} = "coreutils util-linux-mount"
