"""A small use case, run so that each framework's model is released once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from prepared_run import PreparedRun, run_tandem

FEW_STEPS = ("--set", "train.epochs=4")


def run_parcels(folder: Path, *words: str, code: int = 0) -> PreparedRun:
    home, settings = folder / "home", folder / "case/settings.yaml"
    before = set((home / "runs").glob("*"))
    words = ("run", str(settings), "--home", str(home), "--json", *FEW_STEPS, *words)
    found, stdout = run_tandem(*words)
    assert found == code, stdout
    (run,) = set((home / "runs").iterdir()) - before
    return PreparedRun(home, run, stdout)


@dataclass(frozen=True)
class Released:
    """Two runs of one training, by policies that release one framework's model each."""

    folder: Path
    pytorch: PreparedRun
    tensorflow: PreparedRun

    @cached_property
    def given(self) -> dict[str, dict[str, str]]:
        """The parameters of the nodes, by the framework that was released."""
        home = str(self.folder / "home")
        return {
            name: {"run": run.folder.name, "home": home}
            for name, run in (("pytorch", self.pytorch), ("tensorflow", self.tensorflow))
        }
