//! Names of users and paths of cgroups.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// User names by id, from `/etc/passwd` (a static binary has no other way).
#[derive(Debug, Default)]
pub struct Users(HashMap<u32, String>);

impl Users {
    /// Reads the file; no names where it cannot be read.
    pub fn read() -> Self {
        Users::parse(&fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut names = HashMap::new();
        for line in text.lines() {
            let mut parts = line.split(':');
            if let (Some(name), Some(id)) = (parts.next(), parts.nth(1).and_then(|n| n.parse().ok())) {
                names.entry(id).or_insert_with(|| name.to_owned());
            }
        }
        Users(names)
    }

    /// The name, or the number where there is none.
    pub fn name(&self, uid: u32) -> String {
        self.0.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }
}

/// Mounted cgroup hierarchies: name (`unified` for version 2) and mount point.
#[derive(Debug, Default)]
pub struct Cgroups(Vec<(String, PathBuf)>);

impl Cgroups {
    /// Reads `/proc/self/mountinfo`.
    pub fn read() -> Self {
        Cgroups::parse(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut found: Vec<(String, PathBuf)> = Vec::new();
        for line in text.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let Some(point) = left.split(' ').nth(4) else { continue };
            let mut right = right.split(' ');
            let name = match right.next() {
                Some("cgroup2") => "unified".to_owned(),
                Some("cgroup") => controllers(right.nth(1).unwrap_or("")),
                _ => continue,
            };
            if !found.iter().any(|(n, _)| *n == name) {
                found.push((name, PathBuf::from(point)));
            }
        }
        found.sort_by_key(|(n, _)| n != "unified");
        Cgroups(found)
    }

    /// Paths of a cgroup as `hierarchy:path`, joined by commas, of the hierarchies that the pattern names.
    pub fn path(&self, id: u64, pattern: &str) -> String {
        let mut found = Vec::new();
        for (name, root) in self.0.iter().filter(|(n, _)| pattern.is_empty() || matches(pattern, n)) {
            if let Some(path) = find(root, id) {
                let below = path.strip_prefix(root).unwrap_or(&path);
                found.push(format!("{name}:/{}", below.display()));
            }
        }
        found.join(",")
    }
}

/// Controllers among the mount options of a version 1 hierarchy, or its name.
fn controllers(options: &str) -> String {
    let plain = ["rw", "ro", "xattr", "clone_children", "noprefix"];
    let named: Vec<_> = options.split(',').filter(|o| !plain.contains(o)).collect();
    named.iter().map(|o| o.strip_prefix("name=").unwrap_or(o)).collect::<Vec<_>>().join(",")
}

/// `*` stands for any run of characters.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len()).any(|i| tail.is_char_boundary(i) && matches(rest, &tail[i..]))
        }),
    }
}

/// The folder below `dir` (or itself) whose inode number is the cgroup's id.
fn find(dir: &Path, id: u64) -> Option<PathBuf> {
    if fs::metadata(dir).is_ok_and(|m| m.ino() == id) {
        return Some(dir.to_owned());
    }
    let entries = fs::read_dir(dir).ok()?;
    entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).find_map(|e| find(&e.path(), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_by_number() {
        let users = Users::parse("root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1000::/:/bin/sh\nbad line\n");
        assert_eq!(users.name(0), "root");
        assert_eq!(users.name(1000), "bob");
        assert_eq!(users.name(7), "7");
    }

    #[test]
    fn hierarchies_with_version_2_first() {
        let text = "30 24 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
                    31 24 0:27 / /sys/fs/cgroup/unified rw shared:3 - cgroup2 cgroup2 rw\n";
        let groups = Cgroups::parse(text);
        let names: Vec<_> = groups.0.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["unified", "cpu,cpuacct"]);
    }

    #[test]
    fn patterns() {
        assert!(matches("u*ed", "unified") && matches("*", "cpu") && !matches("cpu", "cpuacct"));
    }
}
