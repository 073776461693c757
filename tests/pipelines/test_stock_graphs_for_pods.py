"""A TransformGraph in a folder of this machine is refused for pods before anything is sent."""

from __future__ import annotations

from pathlib import Path

import foreign_models
import pytest
import yaml
from prepared_run import run_tandem

from components.core.errors import SettingsError
from pipelines.preflight.stock_graphs import require_graphs_in_images

OF_THIS_MACHINE = {
    "absolute": 'stock_graph("/tfx/Transform/transform_graph/7", sha256="")',
    "relative, by name": 'stock_graph(folder="graph", sha256="")',
    "by its module": 'stock.stock_graph("graph", sha256="")',
    "inside a function": '[lambda given: stock_graph("graph", sha256="")(given)]',
}
OF_A_POD = {
    "in a package": 'stock_graph("package://taxi/graph", sha256="")',
    "computed": 'stock_graph(str(Path(__file__).parent / "graph"), sha256="")',
    "none": "other_graph('graph')",
    "not to be read": "stock_graph('graph', ",
}


@pytest.mark.parametrize("named", OF_THIS_MACHINE)
def test_a_folder_of_this_machine_is_refused_with_what_to_do(tmp_path: Path, named: str) -> None:
    (tmp_path / "by_graph.py").write_text(f"features = {OF_THIS_MACHINE[named]}\n")
    with pytest.raises(SettingsError, match="which the pods of a cluster do not have") as error:
        require_graphs_in_images("by_graph:features", tmp_path)
    assert "package://PACKAGE/PATH" in error.value.remedy


@pytest.mark.parametrize("named", OF_A_POD)
def test_what_a_pod_may_have_is_left_to_the_stage(tmp_path: Path, named: str) -> None:
    (tmp_path / "by_graph.py").write_text(f"features = {OF_A_POD[named]}\n")
    require_graphs_in_images("by_graph:features", tmp_path)
    require_graphs_in_images("no_such_module_anywhere:features", tmp_path)
    require_graphs_in_images(None, tmp_path)


@pytest.mark.parametrize("command", ["submit", "schedule create --cron 0_3_2_*_* --time-zone UTC"])
def test_a_run_for_a_cluster_is_refused_before_a_server_is_asked(
    tmp_path: Path, command: str
) -> None:
    file = foreign_models.write_use_case(tmp_path)
    values = yaml.safe_load(file.read_text())
    values["transform"] = {"preprocessing_fn": "by_graph:features"}
    file.write_text(yaml.safe_dump(values))
    (tmp_path / "by_graph.py").write_text('features = stock_graph("graph", sha256="")\n')
    words = [word.replace("_", " ") for word in command.split()]
    code, answer = run_tandem(*words, str(file), "--target", "dev", "--json")
    assert code == 2, answer
    assert "applies the TransformGraph graph" in answer
