"""Checkpoints are read as they were written, and what is not one of ours is not used."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from components.core.errors import SettingsError
from components.core.training_settings import Train
from components.training.checkpoints import Checkpoint, Checkpoints, Place
from components.training.stopping import Watch

TRAIN = Train()
STATE = {"weights/a": np.arange(3, dtype=np.float32)}
ARRAY = arrays.arrays(
    st.sampled_from([np.float32, np.int64, np.uint8, np.uint32]),
    arrays.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=3),
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def kept(folder: Path, *steps: int) -> Checkpoints:
    checkpoints = Checkpoints(folder, TRAIN)
    for step in steps:
        checkpoints.save(Checkpoint(Place(step=step), STATE, {}))
    return checkpoints


def step_of(checkpoints: Checkpoints) -> int | None:
    found = checkpoints.latest()
    return None if found is None else found.place.step


@given(
    st.dictionaries(st.text(min_size=1, max_size=5), ARRAY, min_size=1, max_size=3),
    st.dictionaries(st.text(min_size=1, max_size=5), ARRAY, max_size=2),
    st.lists(FINITE, max_size=3),
    FINITE,
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    state: dict[str, np.ndarray],
    best: dict[str, np.ndarray],
    losses: list[float],
    loss_sum: float,
) -> None:
    state = {f"weights/{name}": array for name, array in state.items()}
    watch = Watch(losses=tuple(losses), best_epoch=len(losses))
    place = Place(step=7, epoch=2, batch=1, rows=9, loss_sum=loss_sum, epoch_rows=(9,), watch=watch)
    checkpoints = Checkpoints(tmp_path_factory.mktemp("checkpoints") / "key", TRAIN)
    checkpoints.save(Checkpoint(place, state, best))
    found = checkpoints.latest()
    assert found is not None
    assert found.place == place
    for expected, actual in ((state, found.state), (best, found.best)):
        assert expected.keys() == actual.keys()
        for name, array in expected.items():
            assert (array.dtype, array.shape) == (actual[name].dtype, actual[name].shape)
            assert array.tobytes() == actual[name].tobytes()


def test_the_last_two_are_kept_and_nothing_else(tmp_path: Path) -> None:
    kept(tmp_path / "key", 9, 10, 11)
    names = sorted(path.name for path in (tmp_path / "key").iterdir())
    assert [int(name.partition("-")[0]) for name in names] == [10, 11]


@pytest.mark.parametrize("how", ["cut", "changed", "renamed", "empty"])
def test_a_damaged_checkpoint_is_skipped_for_the_one_before_it(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = kept(tmp_path / "key", 1, 2)
    last = max((tmp_path / "key").iterdir())
    content = bytearray(last.read_bytes())
    if how == "renamed":
        last.rename(last.with_name(f"000000000002-{'0' * 64}.safetensors"))
    else:
        content[-1] ^= 1
        parts = {"cut": content[: len(content) // 2], "changed": content, "empty": b""}
        last.write_bytes(parts[how])
    with caplog.at_level(logging.WARNING):
        assert step_of(checkpoints) == 1
    assert "is damaged: the one before it is used" in caplog.text


def test_where_all_are_damaged_training_begins_anew(tmp_path: Path) -> None:
    checkpoints = kept(tmp_path / "key", 1)
    next((tmp_path / "key").iterdir()).write_bytes(b"")
    assert step_of(checkpoints) is None


def test_a_checkpoint_of_another_key_is_refused(tmp_path: Path) -> None:
    kept(tmp_path / "other", 5)
    shutil.copytree(tmp_path / "other", tmp_path / "key")
    with pytest.raises(SettingsError, match="is of another stage or other inputs") as caught:
        kept(tmp_path / "key").latest()
    assert (caught.value.expected, caught.value.actual) == ("key", "other")


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    kept(tmp_path / "key", 5)
    with pytest.raises(SettingsError, match="is of other settings"):
        Checkpoints(tmp_path / "key", Train(epochs=9)).latest()


def test_a_disk_that_takes_no_checkpoint_does_not_stop_the_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        kept(tmp_path / "file" / "key", 3)
    assert "no checkpoint of step 3 is kept" in caplog.text


def test_they_are_due_every_so_many_steps_where_there_is_a_place(tmp_path: Path) -> None:
    def due(every: int, folder: Path | None = tmp_path) -> list[int]:
        checkpoints = Checkpoints(folder, Train(checkpoint_steps=every))
        return [step for step in range(1, 10) if checkpoints.are_due(step)]

    assert (due(4), due(0), due(4, None)) == ([4, 8], [], [])
