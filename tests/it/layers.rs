//! The house's order: modules import only from earlier ones, and the map says the same as the code.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path.as_ref())).unwrap()
}

/// The names of the `mod` lines, in order.
fn mods(source: &str) -> Vec<String> {
    source
        .lines()
        .filter_map(|line| {
            let line = line.trim_end().strip_suffix(';')?;
            let line = line.strip_prefix("pub ").unwrap_or(line);
            let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
            Some(line.strip_prefix("mod ")?.to_owned())
        })
        .collect()
}

/// Level and inner files of each module, from the table in ARCHITECTURE.md.
fn levels() -> BTreeMap<String, (u32, Vec<String>)> {
    let text = read("ARCHITECTURE.md");
    let table = text.split("| level | module |").nth(1).expect("ARCHITECTURE.md has a table of levels");
    let mut levels = BTreeMap::new();
    for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let Ok(level) = cells[1].parse() else { continue };
        let names: Vec<String> = cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        levels.insert(names[0].clone(), (level, names[1..].to_vec()));
    }
    levels
}

/// The code of a file, without its tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_map_names_every_module_in_order() {
    let levels = levels();
    let modules = mods(&read("src/lib.rs"));
    let mut named: Vec<&String> = levels.keys().collect();
    named.sort();
    let mut present: Vec<&String> = modules.iter().collect();
    present.sort();
    assert_eq!(named, present, "ARCHITECTURE.md and src/lib.rs name other modules");
    assert!(modules.is_sorted_by_key(|name| levels[name].0), "src/lib.rs lists modules by level");
    for name in &modules {
        let inner = mods(&read(format!("src/{name}.rs")));
        assert_eq!(levels[name].1, inner, "inner files of `{name}` in ARCHITECTURE.md");
    }
}

#[test]
fn modules_import_only_from_smaller_levels() {
    let levels = levels();
    for (name, (level, inner)) in &levels {
        let mut files = vec![root().join(format!("src/{name}.rs"))];
        files.extend(inner.iter().map(|file| root().join(format!("src/{name}/{file}.rs"))));
        for file in files {
            for part in code(&file).split("crate::").skip(1) {
                let other: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let Some((other_level, _)) = levels.get(&other) else {
                    panic!("{}: `crate::{other}` is no module; import from where it is made", file.display());
                };
                assert!(
                    other == *name || other_level < level,
                    "{}: level {level} imports `{other}` of level {other_level}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn inner_files_import_only_from_those_before_them() {
    for (name, (_, inner)) in levels() {
        for (position, file) in inner.iter().enumerate() {
            let code = code(&root().join(format!("src/{name}/{file}.rs")));
            for part in code.split("super::").skip(1) {
                let other: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if let Some(place) = inner.iter().position(|candidate| *candidate == other) {
                    assert!(place < position, "src/{name}/{file}.rs imports `{other}`, which comes later");
                }
            }
        }
    }
}

#[test]
fn files_stay_small() {
    const MOST_LINES: usize = 400;
    let mut files = vec![root().join("src")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        // A template is no code.
        if path.extension().is_some_and(|ending| ending == "html" || ending == "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let is_page = path.extension().is_some_and(|ending| ending == "md");
        let lines = text.split("#[cfg(test)]").next().unwrap().lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", path.display());
        assert!(
            text.starts_with(if is_page { "# " } else { "//!" }) || path.ends_with("lib.rs"),
            "{} opens with its question",
            path.display()
        );
    }
}

#[test]
fn only_one_file_names_linfa_and_ndarray() {
    for (name, (_, inner)) in levels() {
        for file in inner {
            let text = code(&root().join(format!("src/{name}/{file}.rs")));
            let names = text.contains("linfa") || text.contains("ndarray");
            assert_eq!(
                names,
                (name.as_str(), file.as_str()) == ("model", "logistic"),
                "src/{name}/{file}.rs"
            );
        }
    }
}
