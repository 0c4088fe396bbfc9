//! Paths, looked at as text alone.

use std::path::{Component, Path, PathBuf};

/// A path without `.` and, where that can be said without looking, without `..`.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Paths as bytes: they need not be Unicode.
pub(crate) mod path_bytes {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::path::{Path, PathBuf};

    pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(path.as_os_str().as_bytes())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(from)?.into_vec();
        Ok(OsString::from_vec(bytes).into())
    }

    /// The same of a path that may not be known.
    pub mod optional {
        use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
        use std::ffi::OsString;
        use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
        use std::path::PathBuf;

        pub fn serialize<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
            let path = path.as_ref();
            path.map(|path| serde_bytes::Bytes::new(path.as_os_str().as_bytes()))
                .serialize(to)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<PathBuf>, D::Error> {
            let bytes = Option::<serde_bytes::ByteBuf>::deserialize(from)?;
            Ok(bytes.map(|bytes| OsString::from_vec(bytes.into_vec()).into()))
        }
    }
}
