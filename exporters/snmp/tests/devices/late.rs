//! Answers that come late, twice, in another order or from elsewhere; and so many that nobody can read them all.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::agent::{Agent, Asked, Table};
use super::cases::{Case, Outcome, judge};

/// A device with 30 rows, few to an answer, whose answers go out as `send` wants.
fn device(mut send: impl FnMut(&UdpSocket, Vec<u8>, SocketAddr) + Send + 'static) -> Agent {
    let table = Table::new(2, 30);
    Agent::with_socket(move |socket, octets, from| {
        let asked = Asked::read(octets).unwrap();
        send(socket, asked.response(0, 0, &table.variables(&asked, 6)), from);
    })
}

fn send(socket: &UdpSocket, octets: &[u8], to: SocketAddr) {
    // Whoever asked may be gone.
    let _ = socket.send_to(octets, to);
}

#[test]
fn answers_in_any_order_are_told_whole() {
    let twice = device(|socket, answer, to| {
        send(socket, &answer, to);
        send(socket, &answer, to);
    });
    let mut before: Vec<Vec<u8>> = Vec::new();
    let again = device(move |socket, answer, to| {
        before.push(answer);
        before.iter().rev().for_each(|answer| send(socket, answer, to));
    });
    // Every fifth answer goes out after the one to the packet that follows.
    let (mut count, mut held) = (0, None);
    let later = device(move |socket, answer, to| {
        count += 1;
        if count % 5 == 0 {
            held = Some(answer);
            return;
        }
        send(socket, &answer, to);
        if let Some(answer) = held.take() {
            send(socket, &answer, to);
        }
    });
    // Longer than what is waited for before anything is sent again.
    let slow = device(|socket, answer, to| {
        std::thread::sleep(Duration::from_millis(20));
        send(socket, &answer, to);
    });
    let cases = [
        ("each twice", twice),
        ("all those before as well", again),
        ("some after the next one", later),
        ("one after the other", slow),
    ];
    judge(&cases.map(|(name, agent)| Case::udp(name, agent, Outcome::Told(60))));
}

/// A socket at another address with the port of the one that was asked. All of 127.0.0.0/8 is this machine.
fn beside(socket: &UdpSocket) -> UdpSocket {
    let port = socket.local_addr().unwrap().port();
    UdpSocket::bind(("127.0.0.2", port)).unwrap()
}

#[test]
fn answers_from_elsewhere_are_taken_only_where_that_is_configured() {
    let another_address = || device(|socket, answer, to| send(&beside(socket), &answer, to));
    let another_port = || {
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        device(move |_, answer, to| send(&other, &answer, to))
    };
    let cases = [
        ("another address", another_address(), "impatient", Outcome::Silent("is it reachable")),
        ("another port", another_port(), "impatient", Outcome::Silent("is it reachable")),
        ("another address, allowed", another_address(), "anywhere", Outcome::Told(60)),
        (
            "another port, allowed",
            another_port(),
            "anywhere_impatient",
            Outcome::Silent("messages came that were none"),
        ),
    ];
    judge(&cases.map(|(name, agent, module, outcome)| Case { module, ..Case::udp(name, agent, outcome) }));
}

#[test]
fn a_flood_is_over_with_patience() {
    // Each packet is answered by noise for a while; the right answer is not among it.
    let noise = |octets: Vec<u8>| {
        Agent::with_socket(move |socket, _, from| {
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(150) {
                send(socket, &octets, from);
            }
        })
    };
    let foreign =
        Asked { version: 1, community: b"hunter2".to_vec(), kind: 0, id: 1, repetitions: 0, names: vec![] };
    let silent = Outcome::Silent("messages came that were none");
    judge(&[
        Case::udp("octets", noise(vec![0xff; 60_000]), silent),
        Case::udp(
            "answers to others",
            noise(foreign.response(0, 0, &Table::new(1, 50).variables(&foreign, 0))),
            silent,
        ),
    ]);
}
