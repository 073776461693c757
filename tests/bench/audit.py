"""`make bench`: measure the audit log and write docs/benchmarks-audit.md.

100,000 records of failed attempts, in a log on disk: drafts from the spool through the sequencer,
the whole log verified, an inclusion proof. Then a log of whole runs, a real one told again and
again, and verified. Beside the first the same envelopes appended to one file, signed and
flushed line by line, and committed with git one by one, fewer of them. Verification runs in a
process of its own, whose peak memory is read at a tenth of the records and at all of them.
Nothing is asserted. `python tests/bench/audit.py RECORDS` measures fewer.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from audit_report import COMMITS, LINES, RECORDS, Measured, report
from retold_runs import retell
from run import ROOT, tandem_run, timed

from components.audit.folder import AuditFolder
from components.audit.keys import read_public_key
from components.audit.log import Log, entry_key, read_snapshot
from components.audit.merkle import leaf_hash, verify_inclusion
from components.audit.notary import open_notary
from components.audit.spool import folder_spool
from components.core.canonical import canonical_json, sha256_value

RUNS = 5
RETOLD = 500
"""Times that a whole run is told, for 100,000 records."""
PARTS = (1, 4, 7, 10)
"""The log's growth, in tenths."""
REPORT = ROOT / "docs" / "benchmarks-audit.md"


def main(arguments: list[str]) -> int:
    """Measure, print and write the report."""
    if arguments[:1] == ["--verify"]:
        return verify_here(Path(arguments[1]))
    records = int(arguments[0]) if arguments else RECORDS
    with tempfile.TemporaryDirectory(prefix="tandem-bench-", dir=os.environ.get("BENCH")) as name:
        home = Path(name, "home")
        rates = []
        small: dict[str, float] = {}
        for first, end in pairwise([0, *(records * part // 10 for part in PARTS)]):
            rates.append(fill(home, first, end - first))
            small = small or verify_there(home)
        whole = [verify_there(home) for _ in range(3)]
        proofs = prove(home)
        runs = verify_whole_runs(Path(name), max(1, RETOLD * records // RECORDS))
        leaves = [item.leaf for item in islice(Log.at(AuditFolder(home)).entries(), LINES)]
        lines = [append_lines(Path(name, f"lines-{i}"), leaves) for i in range(RUNS)]
        commits = [commit(Path(name, f"git-{i}"), leaves[:COMMITS]) for i in range(3)]
    text = report(Measured(records, rates, small, whole, runs, proofs, lines, commits))
    if records == RECORDS:
        REPORT.write_text(text)
    print(text)
    return 0


def fill(home: Path, first: int, count: int) -> float:
    """Put drafts into the spool and record them; return the records a second, both together."""
    drafts = list(made(first, count))

    def work() -> None:
        spool = folder_spool(AuditFolder(home).spool, durable=False)
        for draft in drafts:
            spool.put(canonical_json(draft))
        with open_notary(home):
            pass

    opening, _ = timed(lambda: open_once(home))
    seconds, _ = timed(work)
    return count / (seconds - opening)


def open_once(home: Path) -> None:
    """Open the log and close it: what opening costs is not a record's."""
    with open_notary(home):
        pass


def made(first: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield drafts of failed attempts, eighteen to a run, as wide as a trainer's."""
    settings = {
        "epochs": 8,
        "learning_rate": 0.001,
        "layers": [128, 64],
        "seed": 13,
        "forms": ["onnx"],
    }
    for number in range(first, first + count):
        yield {
            "event": "FAIL",
            "run": {
                "id": f"run-{number // 18:06d}",
                "name": "flights",
                "trigger": "manual",
                "actor": "actor-7",
                "code": {"commit": "ab" * 20, "dirty": False},
                "ir_sha256": "12" * 32,
                "settings_sha256": "34" * 32,
                "cache": True,
            },
            "stage": "train_pytorch",
            "attempt": number % 18 + 1,
            "inputs": [],
            "outputs": [],
            "settings": settings,
            "settings_sha256": sha256_value(settings),
            "code_sha256": "56" * 32,
            "environment": {"lock": "cpu-py311", "lock_sha256": "78" * 32, "python": "3.11.7"},
            "cache_key": "9a" * 32,
            "facts": {"rows": number, "loss": 0.25},
            "gates": [],
            "cause": {"kind": "PlatformError", "message": "the disk is full", "remedy": "free it"},
            "resources": {"wall_seconds": 1.5, "cpu_seconds": 1.25, "peak_memory_bytes": 2**28},
            "claimed_time": f"2026-05-04T03:02:01.{number % 1000:03d}+00:00",
        }


def verify_there(home: Path) -> dict[str, float]:
    """Verify a log in a process of its own."""
    command = [sys.executable, __file__, "--verify", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def verify_here(home: Path) -> int:
    """Verify a log and print seconds and peak memory."""
    from components.audit.verify import verify_log

    seconds, findings = timed(lambda: verify_log(home))
    if findings:
        raise SystemExit(f"findings in an untouched log: {findings[:3]}")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    # ru_maxrss would be that of the process that started this one (exec keeps it).
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    said = {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime}
    print(json.dumps(said | {"mib": int(peak[1]) / 1024 if peak else 0.0}))
    return 0


def verify_whole_runs(folder: Path, times: int) -> tuple[int, list[float], float]:
    """Verify the log of a real run told so many times; return records, seconds, bytes a record."""
    tandem_run(folder / "real")
    records = retell(folder / "real", folder / "retold", times)
    seconds = [verify_there(folder / "retold")["seconds"] for _ in range(RUNS)]
    entries = (AuditFolder(folder / "retold").log / "entries").rglob("*")
    size = sum(path.stat().st_size for path in entries if path.is_file())
    return records, seconds, size / records


def prove(home: Path) -> list[float]:
    """Return the seconds of making and verifying one inclusion proof, for records far apart."""
    snapshot = read_snapshot(Log.at(AuditFolder(home)), read_public_key(AuditFolder(home)))
    root = snapshot.tree.root()

    def one(index: int) -> None:
        proof = snapshot.tree.inclusion_proof(index)
        leaf = leaf_hash(snapshot.entries[index].leaf)
        verify_inclusion(leaf, index, snapshot.size, proof, root)

    return [
        timed(lambda index=index: one(index))[0]
        for index in range(0, snapshot.size, max(1, snapshot.size // 100))
    ]


def append_lines(path: Path, leaves: list[bytes]) -> float:
    """Append signed lines to one file, each on disk before the next; return lines a second."""

    def work() -> None:
        with path.open("ab") as stream:
            for leaf in leaves:
                stream.write(leaf + b"\n")
                stream.flush()
                os.fsync(stream.fileno())

    return len(leaves) / timed(work)[0]


def commit(folder: Path, leaves: list[bytes]) -> float:
    """Commit the same records with git, one by one; return commits a second."""
    folder.mkdir()
    git = [
        "git",
        "-c",
        "user.name=bench",
        "-c",
        "user.email=bench@tandem.invalid",
        "-c",
        "gc.auto=0",
    ]
    subprocess.run([*git, "init", "--quiet"], cwd=folder, check=True)

    def work() -> None:
        for index, leaf in enumerate(leaves):
            path = folder / Path(entry_key(index)).name
            path.write_bytes(leaf)
            subprocess.run([*git, "add", path.name], cwd=folder, check=True)
            subprocess.run([*git, "commit", "--quiet", "-m", path.name], cwd=folder, check=True)

    return len(leaves) / timed(work)[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
