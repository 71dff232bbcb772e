//! How is a good file made a bad one? A few changes each, of bytes, of words, of lines, and of JSON's own parts.

use serde_json::Value;

use crate::logs::SplitMix;

/// What trips readers: ends of number types, dates off the calendar, quotes, marks of other encodings.
const WORDS: &[&str] = &[
    "",
    " ",
    "0",
    "-0",
    "1",
    "-1",
    "0.5",
    "1e308",
    "-1e308",
    "1.7976931348623157e308",
    "1e309",
    "5e-324",
    "1e-320",
    "1e100",
    "2147483647",
    "2147483648",
    "-2147483648",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "170141183460469231731687303715884105728",
    "0.1e-999999999",
    "1e999999999",
    "NaN",
    "nan",
    "inf",
    "-Infinity",
    "null",
    "true",
    "false",
    "0x1F",
    "1_000",
    "1,5",
    "1.000,50",
    "0001-01-01",
    "0000-00-00",
    "9999-12-31",
    "10000-01-01",
    "-0001-01-01",
    "2020-02-29",
    "2021-02-29",
    "1900-02-29",
    "2020-13-01",
    "2020-06-31",
    "1969-12-31",
    "2020-06-30T23:59:60Z",
    "2020-06-30 24:00:00",
    "2020-06-30T10:00:00+14:00",
    "2020-06-30T10:00:00-23:59",
    "2020-06-30T10:00:00+99:99",
    "2020-06-30T10:00:00.999999999999Z",
    "99999999999999-01-01",
    "\"",
    "\"\"",
    "\"a\nb\"",
    "\"a\r\nb\"",
    "'",
    "''",
    "'=1+1",
    "=1+1",
    "a\"b",
    ",",
    ";",
    "\t",
    "|",
    "\n",
    "\r\n",
    "\r",
    "\0",
    "\u{feff}",
    "\u{200b}",
    "\u{202e}",
    "\u{1b}[31m",
    "\u{85}",
    "\u{2028}",
    "é",
    "e\u{301}",
    "😀",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "customer",
    "customer_id",
    "day",
    "amount",
    "store",
    "17850.0",
    "007",
    "+7",
    "{}",
    "[]",
    "[[[[[[[[",
    "{\"a\":",
    "%Y-%m-%d",
    "{format}",
];

/// Bytes that are no UTF-8, or belong to another encoding.
const BYTES: &[&[u8]] = &[
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"\xc3",
    b"\xc3\x28",
    b"\xe9",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\x80",
    b"\0\0\0\0",
    b"PAR1",
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
];

/// Larger files are cut, so that a case takes a moment.
const MOST_BYTES: usize = 200_000;

fn below(random: &mut SplitMix, end: usize) -> usize {
    (random.next() % end.max(1) as u64) as usize
}

fn one_of<'a, T: ?Sized>(random: &mut SplitMix, of: &[&'a T]) -> &'a T {
    of[below(random, of.len())]
}

/// One of the good files after one to six changes.
pub fn mutated(corpus: &[(String, Vec<u8>)], random: &mut SplitMix) -> Vec<u8> {
    let mut bytes = corpus[below(random, corpus.len())].1.clone();
    let is_binary = bytes.starts_with(b"PAR1");
    let is_json = matches!(bytes.first(), Some(b'{' | b'['));
    for _ in 0..1 + below(random, 6) {
        let other = &corpus[below(random, corpus.len())].1;
        match below(random, 10) {
            _ if is_binary => change_bytes(&mut bytes, other, random),
            0..=2 => change_bytes(&mut bytes, other, random),
            3..=6 if is_json => change_json(&mut bytes, random),
            3..=6 => change_word(&mut bytes, random),
            7 if is_json => change_word(&mut bytes, random),
            _ => change_lines(&mut bytes, random),
        }
        bytes.truncate(MOST_BYTES);
    }
    bytes
}

fn change_bytes(bytes: &mut Vec<u8>, other: &[u8], random: &mut SplitMix) {
    let length = bytes.len();
    let at = below(random, length + 1);
    let to = (at + below(random, 1 + length.min(64))).min(length);
    match below(random, 8) {
        0 if at < length => bytes[at] ^= 1 << below(random, 8),
        1 if at < length => bytes[at] = random.next() as u8,
        2 => drop(bytes.drain(at..to)),
        3 => {
            let again = bytes[at..to].to_vec();
            bytes.splice(at..at, again);
        }
        4 => drop(bytes.splice(at..at, one_of(random, BYTES).iter().copied())),
        5 => bytes.truncate(at),
        6 => {
            let from = below(random, other.len() + 1);
            let until = (from + below(random, 200)).min(other.len());
            bytes.splice(at..to, other[from..until].iter().copied());
        }
        _ => drop(bytes.splice(at..to, one_of(random, WORDS).bytes())),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'+' | b'-') || byte >= 0x80
}

/// A word from the place on, around the end to the start.
fn word_near(bytes: &[u8], at: usize) -> (usize, usize) {
    let start = (at..bytes.len()).chain(0..at).find(|&place| is_word(bytes[place])).unwrap_or(0);
    let end = (start..bytes.len()).find(|&place| !is_word(bytes[place])).unwrap_or(bytes.len());
    (start, end)
}

fn change_word(bytes: &mut Vec<u8>, random: &mut SplitMix) {
    let (start, end) = word_near(bytes, below(random, bytes.len()));
    match below(random, 8) {
        0 => drop(bytes.drain(start..end)),
        1 | 2 => {
            let (from, until) = word_near(bytes, below(random, bytes.len()));
            let other = bytes[from..until].to_vec();
            bytes.splice(start..end, other);
        }
        3 => {
            let most = MOST_BYTES / (end - start).max(1);
            let long = bytes[start..end].repeat(1 + below(random, most.min(5_000)));
            bytes.splice(start..end, long);
        }
        _ => drop(bytes.splice(start..end, one_of(random, WORDS).bytes())),
    }
}

fn change_lines(bytes: &mut Vec<u8>, random: &mut SplitMix) {
    let mut lines: Vec<Vec<u8>> = bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, other) = (below(random, lines.len()), below(random, lines.len()));
    let mut glue: &[u8] = b"\n";
    match below(random, 9) {
        0 => lines.swap(one, other),
        1 => drop(lines.remove(one)),
        2 => {
            let line = lines[one].clone();
            let times = 1 + below(random, (MOST_BYTES / line.len().max(1)).min(300));
            lines.splice(other..other, std::iter::repeat_n(line, times));
        }
        3 => glue = b"\r\n",
        4 => glue = b"\r",
        5 => {
            // Another separator, in one line or in all.
            let into = one_of(random, &[b";", b"\t", b"|", b"\"", b" "])[0];
            let everywhere = below(random, 2) == 0;
            for (place, line) in lines.iter_mut().enumerate() {
                if everywhere || place == one {
                    line.iter_mut().filter(|byte| **byte == b',').for_each(|byte| *byte = into);
                }
            }
        }
        6 => {
            // A column twice, or one fewer.
            let (column, doubled) = (below(random, 8), below(random, 2) == 0);
            for line in &mut lines {
                let mut fields: Vec<Vec<u8>> = line.split(|&byte| byte == b',').map(<[u8]>::to_vec).collect();
                if column < fields.len() {
                    if doubled {
                        fields.push(fields[column].clone());
                    } else {
                        fields.remove(column);
                    }
                }
                *line = fields.join(&b',');
            }
        }
        7 => lines.truncate(1 + one.min(1)),
        _ => {
            let quoted = [b"\"".as_slice(), &lines[one], b"\""].concat();
            lines[one] = quoted;
        }
    }
    *bytes = lines.join(glue);
}

/// Changes one part of a JSON document, or a word where it is none any more.
fn change_json(bytes: &mut Vec<u8>, random: &mut SplitMix) {
    let Ok(mut document) = serde_json::from_slice::<Value>(bytes) else {
        return change_word(bytes, random);
    };
    let mut count = 0;
    visit(&mut document, &mut |_| count += 1);
    let (chosen, donor) = (below(random, count), below(random, count));
    let (mut place, mut given) = (0, Value::Null);
    visit(&mut document, &mut |node| {
        if place == donor {
            given = node.clone();
        }
        place += 1;
    });
    place = 0;
    visit(&mut document, &mut |node| {
        if place == chosen {
            change_node(node, &given, random);
        }
        place += 1;
    });
    if let Ok(text) = serde_json::to_vec(&document) {
        *bytes = text;
    }
}

fn change_node(node: &mut Value, given: &Value, random: &mut SplitMix) {
    let number = || [0.0, -1.0, 0.5, 1e308, -1e308, 5e-324, 1e15, 9.3e18, 1e-9];
    match (below(random, 9), &mut *node) {
        (0, _) => *node = Value::Null,
        (1, _) => *node = given.clone(),
        (2, _) => *node = Value::from(number()[below(random, 9)]),
        (3, _) => *node = Value::from([i64::MIN, i64::MAX, -1, 0, 1, 2, 1 << 40][below(random, 7)]),
        (4, _) => *node = Value::from(one_of(random, WORDS)),
        (5, _) => *node = Value::from(vec![given.clone(); below(random, 4)]),
        (_, Value::Array(list)) if !list.is_empty() => {
            let at = below(random, list.len());
            match below(random, 4) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                2 => list.truncate(at),
                _ => {
                    let other = below(random, list.len());
                    list.swap(at, other);
                }
            }
        }
        (_, Value::Object(map)) if !map.is_empty() => {
            let key = map.keys().nth(below(random, map.len())).cloned().unwrap_or_default();
            let value = map.remove(&key);
            if below(random, 2) == 0 {
                map.insert(one_of(random, WORDS).to_owned(), value.unwrap_or_default());
            }
        }
        (_, Value::Number(held)) => {
            let scale = [-1.0, 1e6, 1e-6, 1e300, 1.0000001][below(random, 5)];
            *node = Value::from(held.as_f64().unwrap_or(0.0) * scale);
        }
        _ => *node = Value::from(random.next()),
    }
}

/// Every node, parents first.
fn visit(node: &mut Value, act: &mut impl FnMut(&mut Value)) {
    act(node);
    match node {
        Value::Array(list) => list.iter_mut().for_each(|node| visit(node, act)),
        Value::Object(map) => map.values_mut().for_each(|node| visit(node, act)),
        _ => {}
    }
}
