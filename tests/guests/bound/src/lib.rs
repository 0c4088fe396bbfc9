//! Tests that are bound to host fixtures, and tests that are not.

#[cfg(test)]
mod named;

#[cfg(test)]
fn variables() -> Vec<String> {
    let names = std::env::vars().map(|(name, _)| name);
    names.filter(|n| n.starts_with("WASMTEST_")).collect()
}

/// Bound to `server`.
#[cfg(test)]
mod net {
    use std::fs;
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    fn variable(name: &str) -> String {
        std::env::var(name).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    #[test]
    #[cfg(target_env = "p2")]
    fn connects() {
        TcpStream::connect(variable("WASMTEST_SERVER_ADDR")).expect("granted");
    }

    #[test]
    fn reaches_nothing_else() {
        let other = variable("OTHER");
        let denied = |kind| matches!(kind, ErrorKind::PermissionDenied | ErrorKind::Unsupported);
        let connected = TcpStream::connect(&other).expect_err("not granted");
        assert!(denied(connected.kind()), "{connected}");
        for own in ["127.0.0.1:0", "0.0.0.0:0"] {
            let bound = TcpListener::bind(own).expect_err("not granted");
            assert!(denied(bound.kind()), "{bound}");
        }
        let bound = UdpSocket::bind("127.0.0.1:0").expect_err("not granted");
        assert!(denied(bound.kind()), "{bound}");
    }

    #[test]
    fn has_the_values() {
        let mut names = super::variables();
        names.sort_unstable();
        let expected = ["ADDR", "FOLDER", "GREETING", "PORT", "SIZES"];
        let expected = expected.map(|n| format!("WASMTEST_SERVER_{n}"));
        assert_eq!(names[0], "WASMTEST_FIXTURE_SERVER");
        assert_eq!(names[1..], expected);
        let port = variable("WASMTEST_SERVER_PORT");
        let json = variable("WASMTEST_FIXTURE_SERVER");
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(value["port"].to_string(), port);
        assert_eq!(value["addr"], variable("WASMTEST_SERVER_ADDR"));
        assert_eq!(value["folder"], variable("WASMTEST_SERVER_FOLDER"));
        assert_eq!(value["greeting"], variable("WASMTEST_SERVER_GREETING"));
        assert_eq!(value["sizes"], serde_json::json!([1, 2]));
        assert_eq!(
            variable("WASMTEST_SERVER_ADDR"),
            format!("127.0.0.1:{port}")
        );
        assert_eq!(variable("WASMTEST_SERVER_SIZES"), "[1,2]");
    }

    #[test]
    fn shares_the_folder() {
        let folder = variable("WASMTEST_SERVER_FOLDER");
        let seed = fs::read_to_string(format!("{folder}/seed")).expect("granted");
        assert_eq!(seed.trim(), "from the fixture");
        fs::write(format!("{folder}/fruit"), "from a test").expect("granted");
        // its own folder is where it was
        assert_eq!(fs::read_dir("/tmp").expect("there").count(), 0);
        fs::write("/tmp/x", "").expect("its own");
    }
}

/// Bound to something else, which knows where `server` is.
#[cfg(test)]
mod apart {
    use std::fs;
    use std::net::TcpStream;

    #[test]
    fn reaches_nothing() {
        let variables = super::variables();
        let expected = ["GATE_ADDRESS", "GATE_DIR", "FIXTURE_GATE"];
        assert_eq!(variables, expected.map(|name| format!("WASMTEST_{name}")));
        let value = |name: &str| std::env::var(name).expect("printed");
        assert!(TcpStream::connect(value("WASMTEST_GATE_ADDRESS")).is_err());
        assert!(fs::read_dir(value("WASMTEST_GATE_DIR")).is_err());
    }
}

/// Bound to nothing.
#[cfg(test)]
mod free {
    #[test]
    fn sees_no_fixture() {
        assert_eq!(super::variables(), Vec::<String>::new());
    }
}

/// Bound to whatever the run says.
#[cfg(test)]
mod held {
    #[test]
    fn a_passes() {}

    #[test]
    fn b_passes() {}

    #[test]
    fn sleeps_for_ever() {
        std::thread::sleep(std::time::Duration::from_secs(3600));
    }
}
