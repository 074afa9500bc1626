SUMMARY = "Takes sealcam's key and configuration from the boot partition at the first start"
DESCRIPTION = "What lies in the folder sealcam of the boot partition is installed with owner-only rights, \
               synced, and then overwritten and unlinked there."
SECTION = "base"
LICENSE = "MIT"
# nooelint: oelint.var.licenseremotefile - its sources are the files beside this recipe
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = "file://sealcam-provision \
           file://sealcam-provision.service \
           file://80-wlan.network \
           "

# Releases before styhead unpack into WORKDIR.
SEALCAM_UNPACKED = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"
S = "${SEALCAM_UNPACKED}"

inherit allarch features_check systemd

REQUIRED_DISTRO_FEATURES = "systemd"

do_install() {
    install -d ${D}${sbindir} ${D}${systemd_system_unitdir} ${D}${systemd_unitdir}/network
    install -m 0755 ${SEALCAM_UNPACKED}/sealcam-provision ${D}${sbindir}/
    install -m 0644 ${SEALCAM_UNPACKED}/sealcam-provision.service ${D}${systemd_system_unitdir}/
    install -m 0644 ${SEALCAM_UNPACKED}/80-wlan.network ${D}${systemd_unitdir}/network/

    # wpa_supplicant for the board's own Wi-Fi; without a configuration it just fails to start.
    install -d ${D}${sysconfdir}/systemd/system/multi-user.target.wants
    ln -s ${systemd_system_unitdir}/wpa_supplicant@.service \
        ${D}${sysconfdir}/systemd/system/multi-user.target.wants/wpa_supplicant@wlan0.service
}

SYSTEMD_SERVICE:${PN} = "sealcam-provision.service"

FILES:${PN} += "${systemd_unitdir}/network"

# GNU sync takes files; busybox's knows no -f before 1.36 and its dd no iflag.
RDEPENDS:${PN} = "coreutils diffutils sealcam wpa-supplicant"
