//! Outputs on a full disk, in a folder that nobody may write to, and when the program is stopped in the middle.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use polars::df;
use winback::evidence::Evidence;
use winback::table::{write, write_json, write_text};
use winback::{Error, Result};

use super::world::World;
use crate::logs::SplitMix;
use crate::support::TempDir;

type Writer = fn(&Path) -> Result<()>;

/// Everything that writes a file, with the ending it wants.
const WRITERS: [(&str, Writer); 6] = [
    ("csv", |path| write(&df!["x" => (0..200_000).collect::<Vec<i32>>()].unwrap(), path)),
    ("parquet", |path| {
        let mut random = SplitMix(1);
        write(&df!["x" => (0..200_000).map(|_| random.next()).collect::<Vec<u64>>()].unwrap(), path)
    }),
    ("json", |path| write_json(&vec![0.1; 200_000], path)),
    ("html", |path| write_text(&"page ".repeat(200_000), path)),
    ("model.json", |path| World::shared().model.save(path)),
    ("plan.csv", |path| {
        let world = World::shared();
        world.plan(world.offers.clone(), &Evidence::default())?.sheet().write(path)
    }),
];

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Refused with the place, and all as it was.
#[track_caller]
fn refused(folder: &Path, ending: &str, writer: fn(&Path) -> Result<()>, old: Option<&str>) {
    let path = folder.join(format!("out.{ending}"));
    let before = names(folder);
    let error = writer(&path).expect_err("nothing can be written there");
    assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
    assert!(error.to_string().contains("cannot be written: "), "{error}");
    assert_eq!(names(folder), before);
    assert_eq!(fs::read_to_string(&path).ok().as_deref(), old);
}

/// A small file system of its own, where this user may make one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = TempDir::new();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(folder.path(""))
            .stderr(Stdio::null())
            .status();
        match mounted {
            Ok(status) if status.success() => Some(SmallDisk(folder)),
            _ => {
                eprintln!("skipped: this user may not mount a small file system");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path("")).status();
    }
}

#[test]
fn on_a_full_disk_the_old_file_stays() {
    let Some(disk) = SmallDisk::mount() else { return };
    let folder = disk.0.path("");
    fs::write(folder.join("full"), vec![1_u8; 60 << 10]).unwrap();
    for (ending, writer) in WRITERS {
        refused(&folder, ending, writer, None);
        let path = folder.join(format!("out.{ending}"));
        fs::write(&path, "old").unwrap();
        refused(&folder, ending, writer, Some("old"));
        fs::remove_file(path).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_that_is_full_says_so() {
    let error = write_text("more than nothing", "/dev/full").unwrap_err().to_string();
    assert!(error.starts_with("/dev/full: cannot be written: "), "{error}");
}

#[cfg(unix)]
#[test]
fn where_nobody_may_write_nothing_changes() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new();
    let folder = dir.path("folder");
    fs::create_dir(&folder).unwrap();
    for (ending, writer) in WRITERS {
        // A protected file, whose folder would allow to replace it.
        let path = folder.join(format!("out.{ending}"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap();
        refused(&folder, ending, writer, Some("old"));
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        // A protected folder; the superuser may write to it all the same.
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o555)).unwrap();
        if fs::write(folder.join("probe"), "").is_err() {
            refused(&folder, ending, writer, Some("old"));
        } else {
            fs::remove_file(folder.join("probe")).unwrap();
            let error = writer(Path::new(&format!("/proc/self/out.{ending}"))).unwrap_err();
            assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
        }
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        // A file that only its owner can read stays one.
        writer(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

const PLACE: &str = "WINBACK_TEST_WRITES_TO";

/// Not a test by itself: the program that [`a_program_that_is_stopped_leaves_a_whole_file`] stops.
#[test]
#[ignore = "runs until it is stopped"]
fn writes_until_it_is_stopped() {
    let Some(path) = std::env::var_os(PLACE) else { return };
    let pages = [b'a', b'b'].map(|letter| String::from_utf8(vec![letter; 8 << 20]).unwrap());
    for page in pages.iter().cycle() {
        write_text(page, &path).unwrap();
    }
}

/// Stops the child however the test ends.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_that_is_stopped_leaves_a_whole_file() {
    let dir = TempDir::new();
    let path = dir.path("page.html");
    let mut random = SplitMix(7);
    for _ in 0..4 {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hostile::writing::writes_until_it_is_stopped", "--ignored"])
            .env(PLACE, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = Stopped(child.unwrap());
        thread::sleep(Duration::from_millis(60 + random.next() % 150));
        drop(child);
        // Before the first file was whole there is none.
        let Ok(page) = fs::read(&path) else { continue };
        assert_eq!(page.len(), 8 << 20);
        assert!(page.iter().all(|letter| *letter == page[0]));
    }
}
