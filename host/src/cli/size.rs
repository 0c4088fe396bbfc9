//! Sizes as they are typed: a number of bytes, or of units of 1024 and its powers, whatever their
//! spelling.

/// The bytes that a text stands for.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => Some(0),
        "k" | "kb" | "kib" => Some(10),
        "m" | "mb" | "mib" => Some(20),
        "g" | "gb" | "gib" => Some(30),
        "t" | "tb" | "tib" => Some(40),
        _ => None,
    };
    let bytes = number.parse::<u64>().ok().zip(shift);
    let bytes = bytes.and_then(|(n, shift)| n.checked_mul(1 << shift));
    bytes.ok_or_else(|| "it is no size such as 65536, 512KiB, 64MiB or 2GiB".to_owned())
}

/// What compiling a module needs at least, in bytes: a thread for each processor, and room.
const LEAST_TO_COMPILE: u64 = 64 << 20;

/// The same for how much memory compiling may take.
pub(crate) fn parse_to_compile(text: &str) -> Result<u64, String> {
    match parse(text)? {
        bytes if bytes < LEAST_TO_COMPILE => {
            Err("a compiler needs 64MiB at least, and for most modules more".to_owned())
        }
        bytes => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_size_is_a_number_with_or_without_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65536),
            ("512KiB", 512 << 10),
            ("64 MiB", 64 << 20),
            ("2g", 2 << 30),
            ("1TiB", 1 << 40),
            ("64kb", 65536),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1", "1.5GiB", "1 EB", "99999999999GiB"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
