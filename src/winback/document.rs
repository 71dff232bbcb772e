//! What stands in a JSON document, key by key? Nothing is guessed, dropped or read twice.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::{DocumentFault, shown};

/// A JSON value in which a key that stands twice can still be seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Null => f.write_str("null"),
            Node::Flag(flag) => write!(f, "{flag}"),
            Node::Number(number) => write!(f, "{number}"),
            Node::Text(text) => f.write_str(&shown(text)),
            Node::List(list) => write!(f, "a list of {}", list.len()),
            Node::Object(pairs) => {
                let keys: Vec<String> = pairs.iter().map(|(key, _)| shown(key)).collect();
                write!(
                    f,
                    "an object of {}",
                    if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") }
                )
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = access.next_element()? {
            list.push(node);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = access.next_entry()? {
            pairs.push(pair);
        }
        Ok(Node::Object(pairs))
    }
}

/// All that is wrong with a document.
#[derive(Debug, Default)]
pub(super) struct Faults(pub(super) Vec<DocumentFault>);

impl Faults {
    pub(super) fn add(&mut self, place: &str, found: impl ToString, expected: &str, advice: &str) {
        self.0.push(DocumentFault {
            place: place.to_owned(),
            found: found.to_string(),
            expected: expected.to_owned(),
            advice: advice.to_owned(),
        });
    }
}

/// An object whose keys are taken one by one; those left over are faults.
pub(super) struct Keys<'a> {
    pub(super) place: String,
    pairs: &'a [(String, Node)],
    known: BTreeSet<&'static str>,
}

impl<'a> Keys<'a> {
    /// `None`, and a fault, for what is no object.
    pub(super) fn of(node: &'a Node, place: &str, faults: &mut Faults) -> Option<Self> {
        match node {
            Node::Object(pairs) => Some(Keys { place: place.to_owned(), pairs, known: BTreeSet::new() }),
            other => {
                faults.add(place, other, "an object", "write {…}");
                None
            }
        }
    }

    pub(super) fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.place)
    }

    /// The value of a key; `null` is as good as none.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.insert(key);
        self.pairs
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, node)| node)
            .filter(|node| **node != Node::Null)
    }

    pub(super) fn require(&mut self, key: &'static str, faults: &mut Faults) -> Option<&'a Node> {
        let found = self.get(key);
        if found.is_none() {
            faults.add(&self.at(key), "nothing", "a value", "it has no default; add it");
        }
        found
    }

    pub(super) fn text(&mut self, key: &'static str, faults: &mut Faults) -> Option<String> {
        match self.get(key)? {
            Node::Text(text) => Some(text.clone()),
            other => {
                faults.add(&self.at(key), other, "text", "put it in quotes");
                None
            }
        }
    }

    pub(super) fn flag(&mut self, key: &'static str, faults: &mut Faults) -> Option<bool> {
        match self.get(key)? {
            Node::Flag(flag) => Some(*flag),
            other => {
                faults.add(&self.at(key), other, "true or false", "write it without quotes");
                None
            }
        }
    }

    /// A finite number between two, both allowed.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        within: (f64, f64),
        expected: &str,
        faults: &mut Faults,
    ) -> Option<f64> {
        match self.get(key)? {
            Node::Number(number) if (within.0..=within.1).contains(number) => Some(*number),
            other => {
                faults.add(&self.at(key), other, expected, "correct the number");
                None
            }
        }
    }

    /// A whole number from 0 on.
    pub(super) fn whole(&mut self, key: &'static str, faults: &mut Faults) -> Option<u64> {
        /// Every whole number up to here is a float.
        const MOST: f64 = 9_007_199_254_740_992.0;
        match self.get(key)? {
            Node::Number(number) if number.fract() == 0.0 && (0.0..=MOST).contains(number) => {
                Some(*number as u64)
            }
            other => {
                faults.add(&self.at(key), other, "a whole number from 0 on", "correct the number");
                None
            }
        }
    }

    /// Reports keys that nobody asked for, and keys that stand twice.
    pub(super) fn finish(self, faults: &mut Faults) {
        let known: Vec<&str> = self.known.iter().copied().collect();
        for (place, (key, _)) in self.pairs.iter().enumerate() {
            if !self.known.contains(key.as_str()) {
                faults.add(
                    &self.place,
                    format!("key {}", shown(key)),
                    &format!("one of {}", known.join(", ")),
                    "correct or remove it",
                );
            } else if self.pairs[..place].iter().any(|(earlier, _)| earlier == key) {
                faults.add(&self.at(key), "the key twice", "it once", "remove one");
            }
        }
    }
}
