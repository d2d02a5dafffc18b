//! The `convert` program: formats round, the same file once, anonymised with its topology.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use peerscope::prelude::*;
use peerscope::read::HEADER;

fn program() -> PathBuf {
    // Beside this test: target/debug/deps/this-test, target/debug/examples/convert.
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).unwrap();
    let program = folder.join("examples/convert");
    assert!(program.exists(), "not built: cargo build --example convert");
    program
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program())
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn log() -> String {
    let row = |i: i64| {
        let start = i * 250_000_000;
        let (end, host, peer) = (start + 1000, i % 5, i % 9);
        format!("{start},{end},udp,10.0.0.{host},4672,192.0.{peer}.7,4672,3,180,2,100,,72,kad\n")
    };
    let rows: Vec<String> = (0..200).map(row).collect();
    let rows = rows.concat();
    format!("{HEADER}\n{rows}")
}

#[test]
fn formats_round_and_repeats_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("a.csv"), log()).unwrap();
    std::fs::write(at("again.csv"), log()).unwrap();
    let output = run(folder.path(), &["a.csv", "again.csv", "--out", "b.parquet"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("200 flows written") && text.contains("the content of a.csv"),
        "{text}"
    );
    assert!(
        run(folder.path(), &["b.parquet", "--out", "c.csv"])
            .status
            .success()
    );
    assert_eq!(std::fs::read_to_string(at("c.csv")).unwrap(), log());
    // 45 tuples, each again after 45 * 250 s.
    assert!(
        run(
            folder.path(),
            &["a.csv", "--out", "d.csv", "--remerge", "20000"]
        )
        .status
        .success()
    );
    let merged = std::fs::read_to_string(at("d.csv")).unwrap();
    assert_eq!(merged.lines().count(), 1 + 45);

    let output = run(folder.path(), &["a.csv", "--out", "a.txt"]);
    assert_eq!(output.status.code(), Some(1));
    let output = run(folder.path(), &["none.csv", "--out", "e.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!at("e.csv").exists() && !at("e.csv.part").exists());
}

#[test]
fn zones_survive_anonymisation() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("a.csv"), log()).unwrap();
    std::fs::write(at("key"), "0123456789abcdef".repeat(4)).unwrap();
    let plan = r#"{"monitored": ["10.0.0.0/30"], "provider": ["10.0.0.0/8", "192.0.4.0/22"]}"#;
    std::fs::write(at("topology.json"), plan).unwrap();
    let output = run(
        folder.path(),
        &[
            "a.csv",
            "--out",
            "b.csv",
            "--anonymise-key",
            "key",
            "--topology",
            "topology.json",
            "--topology-out",
            "replaced.json",
        ],
    );
    assert!(output.status.success(), "{output:?}");
    let zones = |log: &str, plan: &str| -> Vec<(Zone, Zone, String)> {
        let topology: Topology =
            serde_json::from_str(&std::fs::read_to_string(at(plan)).unwrap()).unwrap();
        let flows = Source::open(at(log), &ReadOptions::new())
            .unwrap()
            .into_flows()
            .unwrap();
        let flows = flows.map(Result::unwrap);
        flows
            .map(|flow| {
                (
                    topology.zone(flow.src.ip),
                    topology.zone(flow.dst.ip),
                    flow.src.ip.to_string(),
                )
            })
            .collect()
    };
    let (before, after) = (
        zones("a.csv", "topology.json"),
        zones("b.csv", "replaced.json"),
    );
    assert_eq!(before.len(), 200);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.0, before.1), (after.0, after.1));
        assert_ne!(before.2, after.2);
    }
    std::fs::write(at("key"), "short").unwrap();
    let output = run(
        folder.path(),
        &["a.csv", "--out", "c.csv", "--anonymise-key", "key"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("64 hexadecimal digits")
    );
}
