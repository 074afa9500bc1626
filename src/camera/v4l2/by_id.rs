//! Names of a camera that outlive its number.
//!
//! The kernel numbers nodes in the order in which they appear: a camera that is pulled and put back may
//! come back under another number, and another camera under its own. udev keeps links that stay with the
//! camera, `/dev/v4l/by-id` (maker, model, serial number), or with the socket, `/dev/v4l/by-path`.

use std::fs;
use std::path::{Path, PathBuf};

/// Where udev keeps its links.
pub const LINKS: &str = "/dev/v4l";

/// The stable link to a node below `links`: one by identity, else one by socket.
///
/// `None` if there is no such link, or if `node` itself is a link: then it was chosen to be stable.
pub(crate) fn stable_link(node: &Path, links: &Path) -> Option<PathBuf> {
    if fs::symlink_metadata(node).ok()?.file_type().is_symlink() {
        return None;
    }
    let target = fs::canonicalize(node).ok()?;
    ["by-id", "by-path"].iter().find_map(|kind| {
        let mut found: Vec<PathBuf> = fs::read_dir(links.join(kind))
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|link| fs::canonicalize(link).is_ok_and(|path| path == target))
            .collect();
        found.sort();
        found.into_iter().next()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_by_identity_come_before_links_by_socket() {
        let root = std::env::temp_dir().join(format!("sealcam-by-id-{}", std::process::id()));
        let links = root.join("v4l");
        fs::create_dir_all(links.join("by-id")).unwrap();
        fs::create_dir_all(links.join("by-path")).unwrap();
        for node in ["video0", "video1", "video2"] {
            fs::write(root.join(node), "").unwrap();
        }
        let link = |kind: &str, name: &str, node: &str| {
            symlink(Path::new("../..").join(node), links.join(kind).join(name)).unwrap();
        };
        link("by-id", "usb-Maker_Camera-video-index0", "video0");
        link("by-path", "pci-usb-0:1-video-index0", "video0");
        link("by-path", "pci-usb-0:2-video-index0", "video1");
        symlink("video0", root.join("mine")).unwrap();
        symlink("nowhere", links.join("by-id/usb-Gone-video-index0")).unwrap();

        let find = |node: &str| stable_link(&root.join(node), &links);
        assert_eq!(find("video0"), Some(links.join("by-id/usb-Maker_Camera-video-index0")));
        assert_eq!(find("video1"), Some(links.join("by-path/pci-usb-0:2-video-index0")));
        assert_eq!(find("video2"), None);
        assert_eq!(find("video9"), None);
        assert_eq!(find("mine"), None);
        assert_eq!(stable_link(&root.join("video0"), &root.join("none")), None);
        fs::remove_dir_all(&root).unwrap();
    }
}
