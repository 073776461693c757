"""The walk of docs/from-tfx-taxi.md: its files, written down and run, on the template's own rows.

TFX's package carries 10,000 rides of the City of Chicago's as data of its tests: every third here.
"""

from __future__ import annotations

import importlib
import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from prepared_run import run_tandem

from components.core.features import FeatureSpec, IdFeature
from pipelines.settings_file import REPOSITORY

pytestmark = pytest.mark.slow
PAGE = REPOSITORY / "docs" / "from-tfx-taxi.md"
FILE = re.compile(r"^`([a-z_]+\.(?:yaml|py))`.*?^```[a-z]+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def rides() -> list[str]:
    """Return the template's data, line by line; TFX is not imported, which takes its time."""
    (package,) = find_spec("tfx").submodule_search_locations
    data = Path(package, "components", "testdata", "external", "csv", "data.csv")
    return data.read_text().splitlines(keepends=True)


@pytest.fixture(scope="module")
def taxi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the page describes, with rows in it."""
    folder = tmp_path_factory.mktemp("taxi")
    written = {name: text for name, text in FILE.findall(PAGE.read_text())}
    assert written.keys() >= {"settings.yaml", "data_card.yaml", "taxi_features.py"}
    for name, text in written.items():
        (folder / name).write_text(text)
    (folder / "data").mkdir()
    header, *rows = rides()
    assert len(rows) == 10_000
    (folder / "data" / "data.csv").write_text("".join([header, *rows[::3]]))
    return folder


def test_the_page_s_files_train_both_networks_and_register_one(
    taxi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_TAXI", "duckdb:///:memory:")
    monkeypatch.chdir(taxi)
    assert run_tandem("schema", "infer", ".")[0] == 0
    home = str(tmp_path / "home")
    code, said = run_tandem("run", ".", "--home", home, "--json")
    assert code == 0, said
    code, answer = run_tandem("models", "list", "--home", home, "--json")
    versions = json.loads(answer)["versions"]
    assert {item["framework"] for item in versions} == {"pytorch", "tensorflow"}
    assert {item["model"] for item in versions} == {"taxi-big-tipper"}
    code, said = run_tandem("audit", "verify", "--home", home)
    assert code == 0, said


def test_an_id_s_weights_begin_alike_in_both_networks(
    taxi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(taxi))
    hours = IdFeature(name="hour", size=2000)
    spec = FeatureSpec(dense=("miles",), ids=(hours,), label="tipped", rows={"train": 1})
    models = {name: importlib.import_module(f"taxi_{name}") for name in ("pytorch", "tensorflow")}
    of_torch, of_keras = (m.build_model(spec, "taxi", 1) for m in models.values())
    (torch_weights,) = (weights.weight.detach().numpy() for weights in of_torch.wide)
    (keras_weights,) = (w.numpy() for w in of_keras.weights if w.path.endswith("embeddings"))
    assert torch_weights.shape == keras_weights.shape
    for weights in (torch_weights, keras_weights):
        assert 0.045 < abs(weights).max() <= 0.05
        assert weights.std() == pytest.approx(0.05 / 3**0.5, rel=0.05)
