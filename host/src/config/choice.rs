//! Which tests a key means: plain substrings of the test id, for now.
//!
//! A text, a list of texts, or a table with the key `contains`: the table is
//! where other ways to choose will stand.

use crate::event::TestId;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Which tests are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// A test is meant if its id contains one of these.
    pub contains: Vec<String>,
}

impl Choice {
    /// Whether this test is meant.
    pub fn means(&self, test: &TestId) -> bool {
        if self.contains.is_empty() {
            return false;
        }
        let id = test.to_string();
        self.contains.iter().any(|part| id.contains(part.as_str()))
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Choice, D::Error> {
        from.deserialize_any(Either(Table::Allowed))
    }
}

/// A text or a list of texts.
struct Texts(Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Texts, D::Error> {
        let choice = from.deserialize_any(Either(Table::Refused))?;
        Ok(Texts(choice.contains))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Detailed {
    contains: Texts,
}

enum Table {
    Allowed,
    Refused,
}

struct Either(Table);

impl<'de> Visitor<'de> for Either {
    type Value = Choice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of a test's id, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Choice, E> {
        Ok(Choice {
            contains: vec![text.to_owned()],
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Choice, A::Error> {
        let contains = Vec::deserialize(SeqAccessDeserializer::new(seq))?;
        Ok(Choice { contains })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Choice, A::Error> {
        if matches!(self.0, Table::Refused) {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self));
        }
        let detailed = Detailed::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Choice {
            contains: detailed.contains.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_a_list_and_a_table_choose_alike() {
        #[derive(Deserialize)]
        struct File {
            tests: Choice,
        }
        let id = |path: &str| TestId {
            module: "db.wasm".into(),
            path: path.into(),
        };
        for text in [
            "tests = \"net::\"",
            "tests = [\"nope\", \"net::\"]",
            "tests = { contains = \"net::\" }",
            "tests.contains = [\"net::\"]",
        ] {
            let File { tests } = toml::from_str(text).expect(text);
            assert!(tests.means(&id("net::a")), "{text}");
            assert!(!tests.means(&id("a")), "{text}");
        }
        assert!(!Choice::default().means(&id("a")));
    }
}
