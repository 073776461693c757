"""Run one stage's step in its image as a run recorded it: STAGE GIVEN MADE.

Started in a container by tests/infra/tried_images.py. GIVEN holds the run's arguments.json and the
stage's inputs by their names; what the step makes goes into MADE by theirs. The face is imported
too, as Kubeflow Pipelines would. There is no notary, so this is no run: nothing is recorded.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

from components.core.artifacts import read_json


def main(arguments: list[str]) -> int:
    """Run the step; what it raises ends this with its traceback."""
    stage, given, made = arguments[0], Path(arguments[1]), Path(arguments[2])
    import_module(f"components.{stage}.component")
    step = getattr(import_module(f"components.{stage}.step"), stage)
    hints = get_type_hints(step)
    recorded, fields = read_json(given / "arguments.json"), hints["settings"].model_fields
    names = {field.alias or name for name, field in fields.items()}
    settings = {name: value for name, value in recorded.items() if name in names}
    ports = {name: given / name for name in hints if (given / name).is_dir()}
    for name, hint in hints.items():
        if hint is Path and name not in ports:
            ports[name] = made / name
            ports[name].mkdir()
    before = time.monotonic()
    outcome = step(settings=hints["settings"].model_validate(settings), **ports)
    print(f"{stage}: {time.monotonic() - before:.1f} s, {len(outcome.facts)} facts")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
