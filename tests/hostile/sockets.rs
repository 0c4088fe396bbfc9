//! attack: connections to this machine and to others
//! expect: passed
//! exit: 0

use std::net::{TcpListener, TcpStream, UdpSocket};

#[wasmtest::test]
fn attack() {
    assert!(TcpStream::connect("127.0.0.1:22").is_err());
    assert!(TcpStream::connect("192.0.2.1:80").is_err());
    assert!(TcpListener::bind("127.0.0.1:0").is_err());
    assert!(UdpSocket::bind("127.0.0.1:0").is_err());
}
