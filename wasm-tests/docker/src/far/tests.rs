use std::net::Ipv4Addr;

use weir_launch::wait_until;

use super::*;
use weir_testing::Rows;

fn machine(program: &str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let program = program.to_owned();
    thread::spawn(move || serve(&listener, Path::new(&program)));
    address
}

fn run(machine: SocketAddr, arguments: &[&str]) -> (u8, String) {
    let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let mut out = Vec::new();
    let code = run_far(machine, &arguments, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

#[test]
fn output_and_end_come_back() {
    let shell = machine("/bin/sh");
    let table = [
        ("echo one; echo two >&2; exit 3", (3, "one\ntwo\n".to_owned())),
        ("exit 0", (0, String::new())),
        ("kill -9 $$", (137, String::new())),
        ("head -c 300000 /dev/zero | tr '\\0' x", (0, "x".repeat(300_000))),
    ];
    let mut rows = Rows::default();
    for (script, expected) in table {
        rows.check(script, run(shell, &["-c", script]), expected);
    }
    let (code, text) = run(machine("/no/such/program"), &[]);
    assert!(code == 127 && text.contains("No such file"), "{code} {text}");
}

#[test]
fn a_process_does_not_outlive_its_connection() {
    let shell = machine("/bin/sh");
    let mut stream = TcpStream::connect(shell).unwrap();
    writeln!(stream, r#"["-c", "echo $$; exec sleep 60"]"#).unwrap();
    let mut pid = String::new();
    BufReader::new(stream.try_clone().unwrap()).read_line(&mut pid).unwrap();
    let process = format!("/proc/{}", pid.trim());
    assert!(Path::new(&process).exists());
    stream.shutdown(Shutdown::Both).unwrap();
    assert!(wait_until(Duration::from_secs(10), || (!Path::new(&process).exists()).then_some(())).is_some());
}
