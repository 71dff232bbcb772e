//! What others may call: the public items as they are written, one line each, against a committed list. A change of the API shows
//! in review as a change of `public_api.txt`. To write it anew: `WINBACK_REGENERATE=1 cargo test --test it public_api`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const KINDS: [&str; 6] = ["struct ", "enum ", "trait ", "fn ", "const ", "type "];

/// A piece of source that begins at the left margin and ends there, with its attributes.
struct Item {
    attributes: Vec<String>,
    lines: Vec<String>,
}

/// How deep in brackets the source is, text in quotes aside.
#[derive(Default)]
struct Depth {
    brackets: i32,
    is_in_quotes: bool,
}

impl Depth {
    fn advance(&mut self, line: &str) {
        let mut rest = line.chars();
        while let Some(c) = rest.next() {
            match c {
                '\\' if self.is_in_quotes => drop(rest.next()),
                '"' => self.is_in_quotes = !self.is_in_quotes,
                _ if self.is_in_quotes => {}
                // A character in quotes, not a lifetime.
                '\'' if rest.as_str().starts_with('\\') => drop(rest.nth(2)),
                '\'' if rest.as_str().chars().nth(1) == Some('\'') => drop(rest.nth(1)),
                '(' | '[' | '{' => self.brackets += 1,
                ')' | ']' | '}' => self.brackets -= 1,
                '/' if rest.as_str().starts_with('/') => return,
                _ => {}
            }
        }
    }
}

/// The items of a text as rustfmt leaves it: each ends where all brackets are closed.
fn items(text: &str) -> Vec<Item> {
    let (mut items, mut attributes, mut lines, mut depth) =
        (Vec::new(), Vec::new(), Vec::new(), Depth::default());
    for line in text.lines().map(str::trim_end) {
        let trimmed = line.trim_start();
        if !depth.is_in_quotes && (trimmed.starts_with("//") || (trimmed.is_empty() && lines.is_empty())) {
            continue;
        }
        depth.advance(line);
        lines.push(line.to_owned());
        if depth.brackets > 0 || depth.is_in_quotes {
            continue;
        }
        if lines[0].starts_with("#[") || lines[0].starts_with("#![") {
            attributes.push(joined(&std::mem::take(&mut lines)));
        } else if line.ends_with([';', '}']) || (line.ends_with(',') && !line.starts_with(' ')) {
            items.push(Item {
                attributes: std::mem::take(&mut attributes),
                lines: std::mem::take(&mut lines),
            });
        }
    }
    items
}

impl Item {
    /// All before the body, on one line.
    fn head(&self) -> String {
        let is_use = self.lines[0].starts_with("pub use ");
        let end = self.lines.iter().position(|line| !is_use && line.ends_with(['{', ';', '}']));
        joined(&self.lines[..=end.unwrap_or(self.lines.len() - 1)])
            .trim_end_matches(" {}")
            .trim_end_matches(['{', ';', ' '])
            .replace("(mut ", "(")
    }

    /// The lines between the braces, moved to the left margin.
    fn body(&self) -> String {
        let begin =
            self.lines.iter().position(|line| line.ends_with('{')).map_or(self.lines.len(), |at| at + 1);
        self.lines[begin..]
            .iter()
            .map(|line| line.strip_prefix("    ").unwrap_or(""))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|text| text.starts_with(&format!("#[{attribute}")))
    }

    /// What of the attributes is part of the API.
    fn promises(&self) -> String {
        let kept = |text: &&String| {
            ["#[derive", "#[non_exhaustive", "#[deprecated"].iter().any(|begin| text.starts_with(begin))
        };
        self.attributes.iter().filter(kept).map(|text| format!("{text} ")).collect()
    }
}

/// Lines as one, as if there had been room.
fn joined(lines: &[String]) -> String {
    let mut text = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    for (wide, narrow) in
        [("( ", "("), (", )", ")"), ("[ ", "["), (", ]", "]"), ("< ", "<"), (", >", ">"), (", }", " }")]
    {
        text = text.replace(wide, narrow);
    }
    text
}

/// Kind and name of a public item, if it is one.
fn public(head: &str) -> Option<(&'static str, String)> {
    let rest = head.strip_prefix("pub ")?;
    let rest = rest.strip_prefix("const fn ").map_or(rest.to_owned(), |rest| format!("fn {rest}"));
    let kind = KINDS.into_iter().find(|kind| rest.starts_with(kind))?;
    Some((
        kind.trim_end(),
        rest[kind.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect(),
    ))
}

/// The names that a `use` line brings in, and the module that they come from.
fn used(head: &str) -> Option<(String, Vec<String>)> {
    let path = head.strip_prefix("pub use ")?;
    let (from, names) = match path.split_once("::{") {
        Some((from, names)) => (from, named(names)),
        None => path.rsplit_once("::").map(|(from, name)| (from, vec![name.to_owned()]))?,
    };
    Some((from.trim_start_matches("self::").to_owned(), names))
}

fn named(list: &str) -> Vec<String> {
    let names = list.trim_end_matches('}').split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// All files below `src` with the module of the first level that each belongs to.
fn files(folder: &Path, module: Option<&str>) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = module.unwrap_or(&stem).to_owned();
        if path.is_dir() {
            found.extend(files(&path, Some(&module)));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push((module, path));
        }
    }
    found.sort();
    found
}

/// What a module of the first level shows.
#[derive(Default)]
struct Shown {
    names: BTreeSet<String>,
    lines: Vec<String>,
}

/// What an `impl` is for, its bare name, and the trait, if any, all as written. What is sealed is nobody's to use.
fn implemented(head: &str) -> Option<(String, String, Option<String>)> {
    let rest = head.strip_prefix("impl")?;
    let (generics, rest) = match rest.starts_with('<') {
        false => ("", rest.trim_start()),
        true => {
            let mut depth = 0;
            let end = rest.char_indices().find_map(|(at, c)| {
                depth += i32::from(c == '<') - i32::from(c == '>');
                (depth == 0).then_some(at)
            })?;
            (&rest[..=end], rest[end + 1..].trim_start())
        }
    };
    let rest = rest.split(" where").next()?;
    let (of_trait, owner) =
        rest.rsplit_once(" for ").map_or((None, rest), |(of_trait, owner)| (Some(of_trait), owner));
    let name = owner.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let of_trait = of_trait.filter(|of_trait| !of_trait.starts_with("sealed::"));
    Some((owner.to_owned(), name, of_trait.map(|of_trait| format!("impl{generics} {of_trait} for {owner}"))))
}

/// The lines of a type: itself, and its fields or variants or functions.
fn describe(path: &str, kind: &str, item: &Item) -> Vec<String> {
    let head = item.head();
    let head = if kind == "const" { head.split(" = ").next().unwrap_or(&head) } else { &head };
    let head = if kind == "struct" && head.contains('(') && !head.contains("(pub ") {
        format!("{}(_)", &head[..head.find('(').unwrap()])
    } else {
        head.to_owned()
    };
    let inner = items(&item.body());
    let is_closed = kind == "struct" && inner.iter().any(|field| !field.lines[0].starts_with("pub "));
    let mut lines = vec![format!(
        "{path}: {}{head}{}",
        item.promises(),
        if is_closed { " { private fields }" } else { "" }
    )];
    for part in inner {
        let text = joined(&part.lines).trim_end_matches(',').to_owned();
        match kind {
            "struct" => lines.extend(text.strip_prefix("pub ").map(|field| format!("{path}.{field}"))),
            "enum" => lines.push(format!("{path}::{}{text}", part.promises())),
            "trait" if !part.has("doc(hidden)") => lines.push(format!("{path}: {}", part.head())),
            _ => {}
        }
    }
    lines
}

fn api() -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read: Vec<(String, Vec<Item>, bool)> = files(&source, None)
        .into_iter()
        .filter(|(module, _)| module != "lib" && module != "kernels")
        .map(|(module, path)| {
            let text = fs::read_to_string(&path).unwrap();
            let is_top = path.parent() == Some(source.as_path());
            (module, items(text.split("#[cfg(test)]").next().unwrap()), is_top)
        })
        .collect();
    let root = items(&fs::read_to_string(source.join("lib.rs")).unwrap());
    let is_public = |module: &String| root.iter().any(|item| item.head() == format!("pub mod {module}"));

    let mut shown: BTreeMap<&String, Shown> = BTreeMap::new();
    for (module, items, _) in read.iter().filter(|(module, _, is_top)| *is_top && is_public(module)) {
        let module_shown = shown.entry(module).or_default();
        for item in items.iter().filter(|item| !item.has("doc(hidden)")) {
            module_shown.names.extend(public(&item.head()).map(|(_, name)| name));
            let Some((from, names)) = used(&item.head()) else { continue };
            match from.strip_prefix("crate::") {
                Some(other) => module_shown
                    .lines
                    .extend(names.iter().map(|name| format!("{module}::{name} = {other}::{name}"))),
                None => module_shown.names.extend(names),
            }
        }
    }
    let mut lines: Vec<String> = shown.values().flat_map(|module| module.lines.clone()).collect();
    for (from, names) in root.iter().filter_map(|item| used(&item.head())) {
        lines.extend(names.iter().map(|name| format!("{name} = {from}::{name}")));
    }
    // Whose type it is: the module's own, or else that of the one module that shows the name.
    let owner = |module: &String, name: &String| {
        if shown.get(module).is_some_and(|own| own.names.contains(name)) {
            return Some(module.clone());
        }
        let mut others = shown.iter().filter(|(_, other)| other.names.contains(name));
        others.next().filter(|_| others.next().is_none()).map(|(other, _)| (*other).clone())
    };
    let mut missing: BTreeSet<String> = shown
        .iter()
        .flat_map(|(module, of)| of.names.iter().map(move |name| format!("{module}::{name}")))
        .collect();
    for (module, items, _) in &read {
        for item in items {
            let head = item.head();
            if let Some((kind, name)) = public(&head)
                && shown.get(module).is_some_and(|of| of.names.contains(&name))
            {
                let path = format!("{module}::{name}");
                assert!(missing.remove(&path), "{path} stands twice");
                lines.extend(describe(&path, kind, item));
            }
            let Some((of, name, of_trait)) = implemented(&head) else { continue };
            let Some(module) = owner(module, &name) else { continue };
            let path = format!("{module}::{of}");
            match of_trait {
                Some(of_trait) => lines.push(format!("{path}: {of_trait}")),
                None => lines.extend(self::items(&item.body()).iter().filter_map(|part| {
                    let head = part.head();
                    let (kind, _) = public(&head).filter(|_| !part.has("doc(hidden)"))?;
                    // A constant's value is no part of its type.
                    let head =
                        if kind == "const" { head.split(" = ").next().unwrap_or(&head) } else { &head };
                    Some(format!("{path}: {}{head}", part.promises()))
                })),
            }
        }
    }
    assert!(missing.is_empty(), "shown, and not found: {missing:?}");
    lines.sort();
    lines.join("\n") + "\n"
}

#[test]
fn the_public_api_is_the_one_on_record() {
    let record = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/public_api.txt");
    let now = api();
    if std::env::var_os("WINBACK_REGENERATE").is_some() {
        fs::write(&record, &now).unwrap();
    }
    let recorded = fs::read_to_string(&record).unwrap_or_default();
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) =
        (recorded.lines().collect(), now.lines().collect());
    let gone: Vec<String> = before.difference(&after).map(|line| format!("- {line}")).collect();
    let new: Vec<String> = after.difference(&before).map(|line| format!("+ {line}")).collect();
    assert!(
        recorded == now,
        "the public API is not that of tests/it/public_api.txt:\n{}\nIf that is meant, say it in CHANGELOG.md (a line that is gone breaks \
         callers) and run WINBACK_REGENERATE=1 cargo test --test it public_api",
        [gone, new].concat().join("\n")
    );
}
