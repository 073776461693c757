"""The loss by epoch of both trainers."""

from __future__ import annotations

import re
from typing import Any

from pipelines.training_pictures import HEIGHT, LEFT, WIDTH, loss_charts


def record(stage: str, event: str = "COMPLETE", **facts: Any) -> dict[str, Any]:
    return {"stage": stage, "event": event, "facts": facts}


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", path)]


def test_curves_share_both_axes_and_a_lower_loss_lies_lower() -> None:
    (chart,) = loss_charts(
        [
            record("train_tensorflow", epoch_losses=[0.75, 0.5]),
            record("train_pytorch", epoch_losses=[1.0, 0.5, 0.25]),
        ]
    )
    pytorch, tensorflow = chart.curves
    assert [curve.framework for curve in chart.curves] == ["pytorch", "tensorflow"]
    assert (chart.epochs, chart.low, chart.high) == (3, 0.25, 1.0)
    assert places(pytorch.path) == [
        (LEFT, 6),
        (LEFT + WIDTH / 2, round(6 + HEIGHT * 2 / 3, 1)),
        (LEFT + WIDTH, 6 + HEIGHT),
    ]
    assert places(tensorflow.path)[1][0] == LEFT + WIDTH / 2
    assert tensorflow.told == (
        "0.7500 after the first epoch, 0.5000 after the last, lowest 0.5000 after epoch 2"
    )


def test_the_validation_loss_has_a_chart_of_its_own() -> None:
    losses = {"epoch_losses": [3.0, 2.0], "validation_losses": [2.0, 2.5]}
    titles = [chart.title for chart in loss_charts([record("train_pytorch", **losses)])]
    assert titles == ["Training loss", "Validation loss"]


def test_what_the_run_did_not_train_and_one_epoch_alone_have_no_curve() -> None:
    cached = record("train_pytorch", "CACHED", epoch_losses=[1.0, 0.5])
    other = record("evaluate_models", epoch_losses=[1.0, 0.5])
    assert list(loss_charts([cached, other, record("train_tensorflow", epoch_losses=[1.0])])) == []
