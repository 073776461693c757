"""The same compiled pipeline here and under kfp's own local runner: faces see the same."""

import json
import os
import subprocess
import sys

import pytest
import toy_pipelines as toys

from pipelines.runners.results import RunState

UNDER_KFP_LOCAL = """
import json, sys
from kfp import components, local
ir, arguments, root = sys.argv[1:]
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=root)
components.load_component_from_file(ir)(**json.loads(arguments))
"""
ARGUMENTS = {
    "nested": {"whole": 3, "part": 0.5, "deep": {"list": [1, "two", True]}},
    "words": ["a", 1, 2.5],
}


@pytest.mark.timeout(120)
def test_faces_see_the_same_here_and_under_kfp_local(bench, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    result = bench.execute(toys.witnessed, {**ARGUMENTS, "place": str(bench.place)})
    assert result.state is RunState.SUCCEEDED, result
    arguments = json.dumps({**ARGUMENTS, "place": str(theirs)})
    command = [sys.executable, "-c", UNDER_KFP_LOCAL, tmp_path / "witnessed.yaml", arguments]
    finished = subprocess.run(
        [*map(str, command), str(tmp_path / "root")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert finished.returncode == 0, finished.stdout
    assert (bench.place / "ran").read_text() == (theirs / "ran").read_text()
    names = ["read.json", "seen-3.json", "status.json"]
    assert sorted(path.name for path in theirs.glob("*.json")) == names
    for name in names:  # kfp.local has every number of a struct as a float; 3 == 3.0
        ours, other = (json.loads((place / name).read_text()) for place in (bench.place, theirs))
        assert ours == other
