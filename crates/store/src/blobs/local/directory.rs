//! A folder held open, and the steps below it. Every step names one entry of an open folder and refuses symbolic links,
//! so that no race with whoever else writes there can lead out of the root.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

#[derive(Debug)]
pub(super) struct Directory(OwnedFd);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeKind {
    File {
        size: u64,
    },
    Directory,
    /// Symbolic links, sockets, devices.
    Other,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Directory {
    /// Opens the folder at `path`, following links: the operator chose it.
    pub(super) fn open(path: &Path) -> io::Result<Directory> {
        Ok(Directory(rustix::fs::open(path, DIRECTORY, Mode::empty())?))
    }

    pub(super) fn open_child(&self, name: &str) -> io::Result<Directory> {
        match rustix::fs::openat(&self.0, name, DIRECTORY.union(OFlags::NOFOLLOW), Mode::empty()) {
            Ok(fd) => Ok(Directory(fd)),
            // Linux reports a link to a folder as "not a directory"; callers tell links from files.
            Err(Errno::NOTDIR) if self.is_link(name) => Err(Errno::LOOP.into()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn open_file(&self, name: &str) -> io::Result<File> {
        // Without NONBLOCK, opening a pipe that somebody put there would wait forever.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Makes a file that must not be there yet, with the permissions that the umask leaves.
    pub(super) fn create_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(0o666))?))
    }

    pub(super) fn create_child(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777))?)
    }

    pub(super) fn rename(&self, name: &str, target: &Directory, target_name: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, name, &target.0, target_name)?)
    }

    pub(super) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes the entry and all below it; links are removed, not followed.
    pub(super) fn remove_tree(&self, name: &OsStr) -> io::Result<()> {
        let child = match rustix::fs::openat(&self.0, name, DIRECTORY.union(OFlags::NOFOLLOW), Mode::empty()) {
            Ok(fd) => Directory(fd),
            Err(Errno::NOTDIR | Errno::LOOP) => return self.remove_file(name),
            Err(error) => return Err(error.into()),
        };
        for entry in Dir::read_from(&child.0)? {
            let entry = entry?;
            let entry_name = OsStr::from_bytes(entry.file_name().to_bytes());
            if entry_name == "." || entry_name == ".." {
                continue;
            }
            ignore_missing(child.remove_tree(entry_name))?;
        }
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    pub(super) fn kind(&self, name: &str) -> io::Result<NodeKind> {
        Ok(node_kind(&self.stat(name)?))
    }

    /// All entries with UTF-8 names; others have no artifact path.
    pub(super) fn entries(&self) -> io::Result<Vec<(String, NodeKind)>> {
        let mut found = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            match self.kind(name) {
                Ok(kind) => found.push((name.to_owned(), kind)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Makes the entries of this folder durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// Device and inode: the same folder under whatever name.
    pub(super) fn identity(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::fstat(&self.0)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    pub(super) fn duplicate(&self) -> io::Result<Directory> {
        Ok(Directory(self.0.try_clone()?))
    }

    fn is_link(&self, name: &str) -> bool {
        self.stat(name).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
    }

    fn stat(&self, name: &str) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

pub(super) fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn node_kind(stat: &Stat) -> NodeKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => NodeKind::File { size: u64::try_from(stat.st_size).unwrap_or(0) },
        FileType::Directory => NodeKind::Directory,
        _ => NodeKind::Other,
    }
}
