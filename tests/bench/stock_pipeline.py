"""Run the eight classic TFX components under LocalDagRunner and print what each cost, as JSON.

    python tests/bench/stock_pipeline.py FOLDER STEPS

FOLDER holds `csv/train`, `csv/eval` and `eval_config.json`, and gets TFX's root and store; a second
call in the same folder finds the first one's cache and its blessed model.

Rules: everything runs in this one process, as LocalDagRunner has it, one component after the other.
The launcher of TFX is the only thing that is not stock: it notes, around each node's launch, wall
seconds, CPU seconds of this process and its children, and the largest resident memory (VmHWM of
/proc, reset before each node), which therefore counts what earlier nodes left behind.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from one_step import status

TESTS = Path(__file__).resolve().parents[1]
sys.path.append(str(TESTS))

Channels = Mapping[str, Any]


def main(folder: str, steps: str) -> int:
    """Run the pipeline and print the nodes' costs, that of start and imports first."""
    from tfx.orchestration.local import local_dag_runner

    costs: list[dict[str, Any]] = []
    local_dag_runner.launcher.Launcher = measuring(local_dag_runner.launcher.Launcher, costs)
    from stock_tfx import run_stock

    nodes = components(Path(folder), int(steps))
    costs.append({"name": "start and imports", **spent(0.0, 0.0), "wall_seconds": uptime()})
    run_stock(Path(folder), nodes)
    print(json.dumps(costs))
    return 0


def components(folder: Path, steps: int) -> list[Any]:
    """Return the eight components, and the resolver of the baseline that Evaluator needs."""
    from stock_tfx import of_training

    examples, statistics, schema, validator = of_data(folder)
    rows = {"examples": examples.outputs["examples"]}
    inferred = {"schema": schema.outputs["schema"]}
    transform, trainer = of_training(rows, inferred, "stock_flights", steps)
    model = {"model": trainer.outputs["model"]}
    return [
        *(examples, statistics, schema, validator, transform, trainer),
        *of_release(folder, rows, model),
    ]


def of_data(folder: Path) -> tuple[Any, Any, Any, Any]:
    """Return CsvExampleGen, StatisticsGen, SchemaGen and ExampleValidator."""
    from tfx.v1 import components, proto

    splits = [proto.Input.Split(name=n, pattern=f"{n}/*.csv") for n in ("train", "eval")]
    examples = components.CsvExampleGen(
        input_base=str(folder / "csv"), input_config=proto.Input(splits=splits)
    )
    statistics = components.StatisticsGen(examples=examples.outputs["examples"])
    found = {"statistics": statistics.outputs["statistics"]}
    schema = components.SchemaGen(**found)
    validator = components.ExampleValidator(**found, schema=schema.outputs["schema"])
    return examples, statistics, schema, validator


def of_release(folder: Path, rows: Channels, model: Channels) -> tuple[Any, Any, Any]:
    """Return the resolver of the last blessed model, Evaluator and Pusher."""
    from tfx.types.standard_artifacts import Model, ModelBlessing
    from tfx.v1 import components, dsl, proto

    blessed = dsl.Resolver(
        strategy_class=dsl.experimental.LatestBlessedModelStrategy,
        model=dsl.Channel(type=Model),
        model_blessing=dsl.Channel(type=ModelBlessing),
    ).with_id("baseline")
    evaluator = components.Evaluator(
        **rows,
        **model,
        baseline_model=blessed.outputs["model"],
        eval_config=eval_config(folder / "eval_config.json"),
    )
    place = proto.PushDestination.Filesystem(base_directory=str(folder / "served"))
    pusher = components.Pusher(
        **model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=proto.PushDestination(filesystem=place),
    )
    return blessed, evaluator, pusher


def eval_config(path: Path) -> Any:
    """Return the EvalConfig in a file."""
    import tensorflow_model_analysis as tfma
    from google.protobuf import json_format

    return json_format.Parse(path.read_text(), tfma.EvalConfig())


def measuring(launcher: type[Any], costs: list[dict[str, Any]]) -> type[Any]:
    """Return TFX's launcher, which also notes what each node cost."""

    class Measuring(launcher):  # type: ignore[misc]
        def launch(self) -> Any:
            Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak
            before = time.perf_counter(), cpu_seconds()
            try:
                return super().launch()
            finally:
                costs.append({"name": self._pipeline_node.node_info.id, **spent(*before)})

    return Measuring


def spent(wall: float, cpu: float) -> dict[str, float]:
    """Return what was spent since these readings of the clocks, and the peak of memory."""
    return {
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": cpu_seconds() - cpu,
        "peak_memory_bytes": status("VmHWM"),
    }


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def uptime() -> float:
    """Return the wall seconds since this process was started (proc(5): field 22 of stat)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return float(Path("/proc/uptime").read_text().split()[0]) - started


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
