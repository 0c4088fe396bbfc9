//! Tests that are bound to `server` because they ask for it by its name: themselves, by
//! another fixture, by a hook around them, by something shared.

#[derive(serde::Deserialize)]
pub struct Server {
    port: u16,
    addr: String,
    folder: String,
    name: String,
    sizes: Vec<u32>,
}

wasmtest::host_fixture!(pub server: Server);
wasmtest::host_fixture!(other_name: Server = "server");

#[wasmtest::fixture]
fn client(server: &Server) -> String {
    format!("client of {}", server.addr)
}

fn is_the_servers(server: &Server) {
    assert_eq!(server.addr, format!("127.0.0.1:{}", server.port));
    assert_eq!(
        (server.name.as_str(), &server.sizes[..]),
        ("db", &[1, 2][..])
    );
    let seed = std::fs::read_to_string(format!("{}/seed", server.folder)).expect("granted");
    assert_eq!(seed, "from the fixture\n");
    #[cfg(target_env = "p2")]
    std::net::TcpStream::connect(&server.addr).expect("granted");
}

#[wasmtest::test]
fn asks_for_it(server: &Server) {
    is_the_servers(server);
}

#[wasmtest::test]
fn asks_for_it_by_another_name(other_name: &Server) {
    is_the_servers(other_name);
}

#[wasmtest::test]
fn asks_for_what_asks_for_it(client: &str) {
    assert!(client.starts_with("client of 127.0.0.1:"));
}

#[wasmtest::test(cases(one = 1, two = 2))]
fn asks_in_each_case(size: u32, server: &Server) {
    assert!(server.sizes.contains(&size));
}

mod around {
    use super::{Server, server};

    #[wasmtest::before]
    fn begins(server: &Server) {
        super::is_the_servers(server);
    }

    #[wasmtest::test]
    fn is_begun_by_what_asks() {}

    #[test]
    fn a_plain_test_is_not() {
        assert!(std::env::var("WASMTEST_SERVER_PORT").is_err());
    }
}

#[wasmtest::suite(shared)]
mod by_what_is_shared {
    use super::{Server, server};

    #[wasmtest::setup]
    fn address(server: &Server) -> String {
        server.addr.clone()
    }

    #[wasmtest::test]
    fn is_bound(address: &str) {
        let granted = std::env::var("WASMTEST_SERVER_ADDR");
        assert_eq!(granted.as_deref(), Ok(address));
    }
}

#[wasmtest::test]
fn asks_for_nothing() {
    assert!(std::env::var("WASMTEST_SERVER_PORT").is_err());
}
