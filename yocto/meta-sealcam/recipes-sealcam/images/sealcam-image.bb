SUMMARY = "A card for a camera: sealcam, the network, and nothing else to look after"
DESCRIPTION = "Boots a board straight into sealcam's service, which takes its key and its configuration \
               from the boot partition at the first start. No login over the network unless it is added."
SECTION = "images"
LICENSE = "MIT"

inherit core-image features_check

REQUIRED_DISTRO_FEATURES = "systemd"

# Set to 1 in local.conf for a camera on the ribbon cable; needs meta-multimedia for libcamera.
SEALCAM_CSI ??= "0"

# What the board recommends is its kernel's modules and the firmware of its Wi-Fi.
IMAGE_INSTALL = "packagegroup-core-boot \
                 ${MACHINE_EXTRA_RDEPENDS} \
                 ${MACHINE_EXTRA_RRECOMMENDS} \
                 sealcam \
                 sealcam-provision \
                 sealcam-state \
                 ${@'sealcam-libcamera' if d.getVar('SEALCAM_CSI') == '1' else ''} \
                 ${CORE_IMAGE_EXTRA_INSTALL}"

IMAGE_LINGUAS = ""

# A cut of the power finds nothing half written: the system is read-only, and what the camera keeps lies on a
# partition of its own. IMAGE_FEATURES:remove in local.conf gives a writable system, which leaves that unused.
IMAGE_FEATURES += "read-only-rootfs"
WKS_FILE = "sealcam-raspberrypi.wks"
