"""Register a model that was trained elsewhere, from Python: what `tandem models register` calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from pipelines.home import Home
from pipelines.home_notary import answering_notary
from pipelines.launch import Listener, launch
from pipelines.loaded_settings import load_settings
from pipelines.prepared import PreparedRun, prepare_import
from pipelines.runs import RecordedRun, read_run
from pipelines.settings_file import data_overrides, find_settings


@contextmanager
def _unwatched(_: PreparedRun) -> Iterator[Listener]:
    yield lambda event: None


def register_model(
    model: str | Path,
    *,
    settings: str,
    data: str,
    signature: str | Path | None = None,
    home: str | Path | None = None,
    overrides: Sequence[str] = (),
    cache: bool = True,
    watch: Callable[[PreparedRun], AbstractContextManager[Listener]] = _unwatched,
) -> RecordedRun:
    """Measure a model that was trained elsewhere by a use case's gates, and register it.

    `model` is an ONNX file, a SavedModel's folder, a .pt2 file or a bundle, `settings` a use case's
    name or settings file, `data` the span whose rows it is measured on, or FIRST:LAST. What
    `signature` is a file of, components/import_model/signature.py says; `overrides` are KEY=VALUE.
    `watch` gives a listener to the run's events. The state folder is `home`, else TANDEM_HOME's.

    Returns the run: `run.result.exit_code` is 0 where the model was registered and 3 where a gate
    stopped it, and then nothing was; `run.tasks` hold each stage's error. Raises a TandemError
    where the run could not be started.
    """
    state = Home.at(str(home) if home is not None else None)
    file = find_settings(settings)
    window = data_overrides(data, file, overrides)
    loaded = load_settings(file, [*overrides, *window])
    named = Path(signature) if signature is not None else None
    prepared = prepare_import(Path(model), named, loaded, file, state, cache=cache)
    with answering_notary(state) as notary, watch(prepared) as listener:
        launch(prepared, state, notary, listener)
    return read_run(prepared.folder)
