"""The second verifier's artifacts: what the page says under "The runs' folders", and no more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from second_verifier_bytes import folder_digest, need, unique

ERASE = "erase_artifacts"


class Runs:
    """Takes the records of a log, and then looks at the folders of their runs."""

    def __init__(self, runs: Path | None) -> None:
        self.runs = runs
        self.done = dict[str, list[tuple[str, dict[str, Any], dict[str, str]]]]()

    def take(self, record: str, audit: dict[str, Any], made: dict[str, str]) -> None:
        if self.runs is None or audit["event"] in ("KEY", "IMPORTED"):
            return
        told = self.done.setdefault(audit["run"]["id"], [])
        if audit["event"] in ("COMPLETE", "CACHED"):
            told.append((record, audit, {name: made[name] for name in audit["outputs"]}))

    def verify(self) -> None:
        there = {path.parent.name for path in (self.runs or Path()).glob("*/run.json")}
        for run in sorted(there | self.done.keys()) if self.runs else ():
            if (self.runs / run).is_dir():
                self.run(self.runs / run, run)

    def run(self, folder: Path, run: str) -> None:
        need((folder / "run.json").is_file(), f"{run}: no run.json")
        said = unique((folder / "run.json").read_bytes(), run)
        need(said["run"]["id"] == run, f"{run}: the run.json of another run")
        told = self.done.get(run, [])
        self.erasures(folder, run)
        last = {audit["stage"]: (record, made) for record, audit, made in told}
        last.pop(ERASE, None)
        recorded = {(r, name): value for r, made in last.values() for name, value in made.items()}
        for task, one in said["tasks"].items():
            for name, output in one.get("outputs", {}).items():
                self.output(folder, task, name, output, recorded)
        stages = {record: stage for stage, (record, _) in last.items()}
        ended = {task.replace("-", "_"): one.get("state") for task, one in said["tasks"].items()}
        parents = {parent for _, audit, _ in told for parent in audit["parents"]}
        for record, name in recorded:
            went_well = ended.get(stages[record], "SUCCEEDED") in ("SUCCEEDED", "CACHED")
            need(not went_well and record not in parents, f"{run}/{name}: run.json lacks it")

    def output(self, folder: Path, task: str, name: str, output: Any, recorded: Any) -> None:
        """Hold an output against its record, and take that out of what is recorded."""
        what, record = f"{folder.name}/{name}", output.get("metadata", {}).get("record", "")
        expected = recorded.pop((record, name), None)
        need(expected is not None, f"{what}: no record describes it")
        place = f"artifacts/{task}/{name}"
        need(output["path"] == place, f"{what}: it lies in another place")
        need(output["sha256"] == expected, f"{what}: run.json has another digest")
        gone = {"name": name, "sha256": expected, "record": record}
        if (folder / place).exists() or gone not in self.erased(folder.name):
            need(folder_digest(folder / place) == expected, f"{what}: other bytes")

    def erased(self, run: str) -> list[Mapping[str, str]]:
        return [item for audit, _ in self.erasing(run) for item in audit["inputs"]]

    def erasing(self, run: str) -> list[tuple[dict[str, Any], dict[str, str]]]:
        told = self.done.get(run, [])
        return [(a, made) for _, a, made in told if (a["stage"], a["event"]) == (ERASE, "COMPLETE")]

    def erasures(self, folder: Path, run: str) -> None:
        expected = {str(audit["attempt"]): made.get("erasure") for audit, made in self.erasing(run)}
        there = {path.name for path in folder.glob("erasures/*")}
        for number in sorted(there | expected.keys()):
            what = f"{run}/erasures/{number}"
            need(number in expected, f"{what}: no record tells of it")
            same = folder_digest(folder / "erasures" / number) == expected[number]
            need(same, f"{what}: other bytes")
