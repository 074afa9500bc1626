//! Gives up access to files that the service does not need, by Landlock, where the kernel offers it.
//!
//! What stays: devices, to be read, written and asked; programs, libraries and settings of the system, to be
//! read (libcamera's preloaded layer loads its parts when a camera is opened, and names are looked up when
//! the configuration is read again); sysfs and procfs, to be read; and the folders that the configuration
//! names. TCP connections to elsewhere are given up too; UDP is not governed by Landlock.

use std::fmt;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, make_bitflags,
};
use serde::{Deserialize, Serialize};

/// The newest edition of Landlock whose rights are handled; older kernels enforce what they know.
const EDITION: ABI = ABI::V5;

/// Where programs and libraries are, which may be executed.
const PROGRAMS: &[&str] = &["/usr", "/lib", "/lib64", "/lib32", "/opt"];

/// What else is read from wherever a system keeps it.
const READ: &[&str] = &["/etc", "/sys", "/proc", "/run/udev", "/run/systemd", "/run/resolvconf"];

/// Where devices are.
const DEVICES: &str = "/dev";

/// What the process still needs files for.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Folders and files to be read.
    pub read: Vec<PathBuf>,
    /// Folders in which files are made, changed and deleted.
    pub write: Vec<PathBuf>,
    /// Devices that are not below `/dev`.
    pub devices: Vec<PathBuf>,
}

impl Needs {
    /// Adds the folder of a file, by its name and, if that is a link, where it leads: whoever changes a file
    /// puts a new one in its place, and rules are tied to what was there. Where the folder is not there either,
    /// the nearest one above it that is. Not the root folder: that were all.
    pub fn read_file(&mut self, path: &Path) {
        for path in [Some(path.to_owned()), path.canonicalize().ok()].into_iter().flatten() {
            let mut above = path.ancestors().skip(1).filter(|folder| folder.parent().is_some());
            let folder = above.find(|folder| folder.is_dir());
            if folder != path.parent() && path.parent().is_some_and(|folder| !folder.is_dir()) {
                let kept = folder.map_or("nothing above it".into(), |folder| folder.display().to_string());
                log::warn!(
                    "{}: its folder is not there; access is kept to {kept}, so as to find it later",
                    path.display()
                );
            }
            self.read.push(folder.unwrap_or(&path).to_owned());
        }
    }
}

/// What files and devices the process has kept for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Folders, files and devices, by their names without links; `None` for all.
    kept: Option<Kept>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    files: Vec<PathBuf>,
    devices: Vec<PathBuf>,
}

impl Reach {
    /// All that the system lets this process have.
    pub const ALL: Self = Self { kept: None };

    /// What is left after [`Sandbox::enter`] with these `needs`.
    #[must_use]
    pub fn of(needs: Option<&Needs>, sandbox: &Sandbox) -> Self {
        let in_force = matches!(sandbox.landlock, Landlock::Enforced | Landlock::Partly);
        let Some(needs) = needs.filter(|_| in_force) else { return Self::ALL };
        let without_links = |path: &PathBuf| without_links(path).unwrap_or_else(|| path.clone());
        let system = PROGRAMS.iter().chain(READ).map(PathBuf::from);
        let files = needs.read.iter().chain(&needs.write).map(without_links);
        let devices = needs.devices.iter().map(without_links);
        let kept = Kept {
            files: system.map(|path| without_links(&path)).chain(files).collect(),
            devices: devices.chain([DEVICES.into()]).collect(),
        };
        Self { kept: Some(kept) }
    }

    /// Whether a file or folder can be read, as far as the fence goes. What is not there at all is nothing
    /// that the fence keeps away.
    #[must_use]
    pub fn has_file(&self, path: &Path) -> bool {
        self.kept.as_ref().is_none_or(|kept| beneath(path, &kept.files))
    }

    /// The same of a device.
    #[must_use]
    pub fn has_device(&self, path: &Path) -> bool {
        self.kept.as_ref().is_none_or(|kept| beneath(path, &kept.devices))
    }
}

fn beneath(path: &Path, kept: &[PathBuf]) -> bool {
    without_links(path).is_none_or(|path| kept.iter().any(|folder| path.starts_with(folder)))
}

/// The path without links, also that of a file which is not there; `None` if not even its folder is. Landlock
/// lets everyone follow links.
fn without_links(path: &Path) -> Option<PathBuf> {
    let folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(folder)
}

/// What keeps the process from doing more than it should, as far as the kernel tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Access to files.
    pub landlock: Landlock,
    /// No program that it starts can have more rights.
    pub no_new_privs: bool,
    /// Filters of system calls are in force.
    pub seccomp: bool,
}

/// Whether Landlock is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Landlock {
    /// All that is asked for.
    Enforced,
    /// What this kernel knows of it.
    Partly,
    /// The kernel does not offer it.
    NotOffered,
    /// The kernel offers it, but it could not be had; the log says why.
    Failed,
    /// The configuration does without it.
    SwitchedOff,
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.landlock {
            Landlock::Enforced => "Landlock enforced",
            Landlock::Partly => "Landlock enforced as far as this kernel knows it",
            Landlock::NotOffered => "Landlock not offered by this kernel",
            Landlock::Failed => "Landlock failed, see the log",
            Landlock::SwitchedOff => "Landlock switched off",
        })?;
        f.write_str(if self.no_new_privs { ", no new privileges" } else { ", new privileges possible" })?;
        f.write_str(if self.seccomp { ", system calls filtered" } else { ", system calls not filtered" })
    }
}

impl Sandbox {
    /// Gives up what `needs` does not name, in this thread and those it starts from now on, and looks at
    /// what is in force then. `None` gives up nothing.
    ///
    /// What the kernel refuses is told in the log, and the service goes on: the rest of its sandbox is
    /// systemd's.
    pub fn enter(needs: Option<&Needs>) -> Self {
        let landlock = match needs.map(restrict) {
            None => Landlock::SwitchedOff,
            Some(Ok(RulesetStatus::FullyEnforced)) => Landlock::Enforced,
            Some(Ok(RulesetStatus::PartiallyEnforced)) => Landlock::Partly,
            Some(Ok(RulesetStatus::NotEnforced)) => Landlock::NotOffered,
            Some(Err(why)) => {
                log::warn!("Landlock: {why}; going on without");
                Landlock::Failed
            }
        };
        let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        Self {
            landlock,
            no_new_privs: number(&status, "NoNewPrivs:") == Some(1),
            // 2 is SECCOMP_MODE_FILTER.
            seccomp: number(&status, "Seccomp:") == Some(2),
        }
    }
}

fn number(status: &str, key: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
}

fn restrict(needs: &Needs) -> Result<RulesetStatus, RulesetError> {
    let all = AccessFs::from_all(EDITION);
    let read = AccessFs::from_read(EDITION);
    let device = make_bitflags!(AccessFs::{ ReadFile | ReadDir | WriteFile | IoctlDev });
    // Neither devices nor programs are made or started there.
    let write = all & !make_bitflags!(AccessFs::{ Execute | MakeChar | MakeBlock | IoctlDev });
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .handle_access(AccessNet::ConnectTcp)?
        .create()?;
    let only_read = make_bitflags!(AccessFs::{ ReadFile | ReadDir });
    let wanted = PROGRAMS.iter().map(|path| (PathBuf::from(path), read));
    let wanted = wanted.chain(READ.iter().map(|path| (PathBuf::from(path), only_read)));
    let wanted = wanted.chain([(PathBuf::from(DEVICES), device)]);
    // Of what a preloaded layer only pretends to be a device, no rule can be made.
    let is_device = |path: &&PathBuf| fs::metadata(path).is_ok_and(|it| it.file_type().is_char_device());
    let wanted = wanted.chain(needs.devices.iter().filter(is_device).map(|path| (path.clone(), device)));
    let wanted = wanted.chain(needs.read.iter().map(|path| (path.clone(), only_read)));
    let wanted = wanted.chain(needs.write.iter().map(|path| (path.clone(), write)));
    for (path, access) in wanted {
        allow(&mut rules, &path, access);
    }
    rules.restrict_self().map(|status| status.ruleset)
}

/// What is not there needs no rule. One that the kernel refuses is no reason to do without the others.
fn allow(rules: &mut RulesetCreated, path: &Path, access: BitFlags<AccessFs>) {
    let Ok(fd) = PathFd::new(path) else { return };
    // Rights of folders make no sense for a file.
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(EDITION) };
    if let Err(why) = rules.add_rule(PathBeneath::new(fd, access)) {
        log::warn!("Landlock: {}: {why}; it is out of reach from now on", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_words_are_understood() {
        let status = "Name:\tsealcam\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t9\n";
        assert_eq!(number(status, "NoNewPrivs:"), Some(1));
        assert_eq!(number(status, "Seccomp:"), Some(2));
        assert_eq!(number("", "Seccomp:"), None);
    }

    #[test]
    fn what_is_not_named_cannot_be_reached_any_more() {
        let (kept, lost) = (crate::keys::state::test_folder(), crate::keys::state::test_folder());
        fs::write(lost.path().join("a"), "a").unwrap();
        let (inside, outside) = (kept.path().join("a"), lost.path().join("a"));
        // Only the thread is restricted, and it ends.
        let needs = Needs { write: vec![kept.path().to_owned()], ..Needs::default() };
        let result = std::thread::spawn(move || {
            let sandbox = Sandbox::enter(Some(&needs));
            let wrote = fs::write(&inside, "b").and_then(|()| fs::remove_file(&inside));
            let devices = fs::read("/dev/null").and_then(|_| fs::write("/dev/null", "x"));
            (sandbox, wrote, devices, fs::read("/proc/self/stat"), fs::read(&outside))
        });
        let (sandbox, wrote, devices, proc, outside) = result.join().unwrap();
        assert!(wrote.is_ok() && devices.is_ok() && proc.is_ok(), "{wrote:?} {devices:?} {proc:?}");
        if sandbox.landlock == Landlock::Enforced {
            assert_eq!(outside.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
            assert!(sandbox.no_new_privs);
        }
        assert!(fs::read(lost.path().join("a")).is_ok(), "other threads keep their rights");
    }

    #[test]
    fn what_was_kept_is_told_from_what_was_not() {
        let folder = crate::keys::state::test_folder();
        let at = |name: &str| folder.path().join(name);
        for name in ["config", "clips", "other"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("a"), "").unwrap();
        }
        std::os::unix::fs::symlink(at("other"), at("config/link")).unwrap();
        std::os::unix::fs::symlink(at("clips/a"), at("other/link")).unwrap();
        std::os::unix::fs::symlink("/dev/null", at("video")).unwrap();
        let mut needs = Needs { devices: vec![at("camera")], ..Needs::default() };
        needs.read_file(&at("config/a"));
        // A link that leads to another folder: both are kept.
        std::os::unix::fs::symlink(at("clips/a"), at("config/clip")).unwrap();
        needs.read_file(&at("config/clip"));
        needs.read_file(Path::new("/alone"));
        // One whose folder is to come.
        fs::create_dir(at("films")).unwrap();
        needs.read_file(&at("films/of/today/a"));
        assert!(needs.read.contains(&at("films")), "{needs:?}");
        assert!(needs.read.contains(&PathBuf::from("/alone")) && !needs.read.contains(&"/".into()));
        let sandbox = |landlock| Sandbox { landlock, no_new_privs: true, seccomp: true };
        let reach = Reach::of(Some(&needs), &sandbox(Landlock::Enforced));
        // (path, kept)
        for (path, kept) in [
            (at("config/a"), true),
            (at("config/not-there"), true),
            (at("config/link/a"), false),
            (at("clips/a"), true),
            (at("other/a"), false),
            (at("other/link"), true),
            (at("nowhere/at/all"), true),
            ("/etc/hostname".into(), true),
        ] {
            assert_eq!(reach.has_file(&path), kept, "{path:?}");
        }
        for (path, kept) in
            [("/dev/video9".into(), true), (at("camera"), true), (at("other/a"), false), (at("video"), true)]
        {
            assert_eq!(reach.has_device(&path), kept, "{path:?}");
        }
        for landlock in [Landlock::NotOffered, Landlock::Failed, Landlock::SwitchedOff] {
            assert_eq!(Reach::of(Some(&needs), &sandbox(landlock)), Reach::ALL);
        }
        assert!(Reach::ALL.has_file(&at("other/a")) && Reach::ALL.has_device(&at("other/a")));
    }
}
