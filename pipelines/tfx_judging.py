"""A Model of somebody's own TFX pipeline, judged on the pipeline's Examples in a run of ours.

    settings   a use case's file; where its rows lie is said by the Examples
    model      in Format-Serving: a SavedModel, a bundle of ours, or one .onnx or .pt2 file, beside
               which signature.yaml may name its columns; `signature` names another file that does
    evaluation TFMA's results of the model, its gates as TFMA's validation, and evaluation.json
    blessing   BLESSED or NOT_BLESSED, an empty file

Rules: the run is that of `tandem models register`, stage by stage, with its records; what is laid
out is checked against the audit log. A model that its gates refuse is not blessed, which is an
answer; where the run came to no decision, its error is raised. A blessing is of all that a Pusher
would push, so beside the judged file there is nothing else. TFX is not imported here.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from components.core.artifacts import copy_tree
from components.core.candidates import IMPORTED
from components.core.canonical import sha256_value
from components.core.data_settings import Source
from components.core.errors import SettingsError, TandemError, error_from_dict
from components.import_model.signature import read_signature
from components.import_model.tfx_artifacts import SERVING, SIGNATURE
from components.reading.patterns import escaped
from components.reading.split_column import SPLIT_COLUMN
from pipelines.champion import resolve
from pipelines.home import Home
from pipelines.loaded_settings import load_settings
from pipelines.preflight.checks import check_all_but_rows
from pipelines.recorded import DECIDED, RecordedArtifacts
from pipelines.registering import register_model
from pipelines.runs import ARTIFACTS, RecordedRun
from pipelines.settings_file import data_overrides, find_settings
from pipelines.sources import pin_joins, pin_result
from pipelines.tfx_layout import write_blessing

EVALUATED, EVALUATION = "evaluate-models", "evaluation"
_FILES = (".onnx", ".pt2")
_PLACE = {"location", "format", "query", "database", "sha256", "as_of"}
"""What a table says of where its rows lie, and of which bytes they are."""


@dataclass(frozen=True)
class Served:
    """What of a Model is judged, and the file that names its columns, where there is one."""

    model: Path
    signature: Path | None = None

    @classmethod
    def of(cls, model: Path) -> Served:
        """Find it in a Model artifact.

        Raises SettingsError where a Pusher would push more than it, or nothing.
        """
        folder = model / SERVING
        if not folder.is_dir():
            raise SettingsError(
                f"the Model in {model} has no folder {SERVING}",
                remedy="have a Trainer of TFX 0.29 or later write it: one before wrote "
                "serving_model_dir/",
            )
        files = sorted(path for path in folder.glob("*") if path.suffix in _FILES)
        if len(files) != 1 or (folder / "contract.json").is_file():
            return cls(folder)
        signature = folder / SIGNATURE
        beside = sorted({path.name for path in folder.iterdir()} - {files[0].name, SIGNATURE})
        if beside:
            raise SettingsError(
                f"{beside[0]} lies beside {files[0].name}: it would be pushed and is not judged",
                remedy=f"have the Trainer write the model and {SIGNATURE} into {SERVING}, no more",
            )
        return cls(files[0], signature if signature.is_file() else None)


def require_fit(settings: str, data: str) -> None:
    """Raise SettingsError for what no Examples fit, found before there are any.

    That is a window of `data` or an origin of spans that they cannot have, and all that is looked
    at before a run but the rows and the model. Settings that are wrong by themselves have the
    remedy that they have anywhere.
    """
    file = find_settings(settings)
    source = load_settings(file).settings.source
    rows = _read_from(Path("/Examples"), source)
    try:
        loaded = load_settings(file, [rows, *data_overrides(data, file, [rows])])
    except SettingsError as error:
        raise SettingsError(
            f"JudgeModel with {settings} and data {data}: {error.message}",
            remedy=f"give it other `data`, or correct source.spans in {file}: TFX's files have no "
            "span in their names",
        ) from error
    check_all_but_rows(loaded)


def state_of(settings: str, home: str, signature: str = "") -> str:
    """Return the digest of what the judgement stands on beside rows and model.

    That is the settings, with the files that they name (those of joins and of what TFX's validator
    found too), the champion, and the signature that is said. TFX's cache does not see them. Raises
    SettingsError for settings and a signature that cannot be used, and files that are not there.
    """
    file = find_settings(settings)
    loaded, root = load_settings(file), file.resolve().parent
    champion = resolve(loaded.settings.registry.model_name, Home.at(home or None))
    joins = pin_joins(loaded.settings.source, root)
    said = read_signature(Path(signature)).model_dump(mode="json") if signature else None
    return sha256_value(
        {
            "settings": loaded.sha256,
            "signature": said,
            "joins": {name: join.sha256 for name, join in joins.items()},
            "checks": pin_result(loaded.settings.checks, root).model_dump(mode="json"),
            "champion": {key: value for key, value in champion.items() if key != "path"},
        }
    )


def judge(
    model: Path,
    examples: Path,
    *,
    settings: str,
    data: str,
    home: str,
    state: str,
    signature: str = "",
) -> RecordedArtifacts:
    """Judge a Model on Examples, in folders of TFX's layout; return the artifacts of the run.

    `signature` is a file that says what the model takes, in the place of one that lies beside it.

    Raises SettingsError where `state_of` is another than `state`, and the error of the stage that
    kept the run from a decision, or from registering what it released.
    """
    if state_of(settings, home, signature) != state:
        raise SettingsError(
            f"{settings}, the signature or the champion is another than when the pipeline was "
            "built",
            remedy="build the pipeline again: TFX's cache knows what was judged by that alone",
        )
    served = Served.of(model)
    run = register_model(
        served.model,
        settings=settings,
        data=data,
        signature=signature or served.signature,
        home=home or None,
        overrides=[rows_of(examples, settings)],
    )
    artifacts = RecordedArtifacts.of(run, Home.at(home or None))
    refused = run.result.exit_code and artifacts.refused(DECIDED, "decision")
    if run.result.exit_code and not refused:
        raise _error_of(run)
    return artifacts


def is_blessed(artifacts: RecordedArtifacts) -> bool:
    """Say whether the run released its model."""
    decision = artifacts.decision()
    return decision is not None and bool(decision["go"])


def lay_out(artifacts: RecordedArtifacts, evaluation: Path, blessing: Path) -> None:
    """Write both artifacts, as `tfma.load_eval_result` and a stock Pusher read them."""
    write_blessing(blessing, is_blessed(artifacts))
    found = artifacts.output(EVALUATED, EVALUATION)
    copy_tree(found / IMPORTED, evaluation)
    shutil.copyfile(found / "evaluation.json", evaluation / "evaluation.json")
    decided = artifacts.run.folder / ARTIFACTS / DECIDED / "decision"  # one of a no is no output
    copy_tree(decided / IMPORTED, evaluation)


def rows_of(examples: Path, settings: str) -> str:
    """Return the override that has the rows read from Examples, split as the settings say.

    What the settings' own table says of columns stays; where it lay does not count. Raises
    SettingsError for Examples without splits in today's layout.
    """
    if not any(examples.glob("Split-*")):
        raise SettingsError(
            f"the Examples in {examples} have no folder Split-*",
            remedy="have an ExampleGen of TFX 0.29 or later write them: one before wrote train/",
        )
    return _read_from(examples, load_settings(find_settings(settings)).settings.source)


def _read_from(examples: Path, source: Source) -> str:
    divided = source.splits.by == "column" and source.splits.column == SPLIT_COLUMN
    place = escaped(str(examples))
    location = Path(place, f"Split-{'{split}' if divided else '*'}", "*.gz")
    own = source.table.model_dump(mode="json", exclude_none=True, exclude=_PLACE)
    return f"source.table={json.dumps(own | {'location': str(location), 'format': 'tfrecord'})}"


def _error_of(run: RecordedRun) -> TandemError:
    """Return the error of the first stage that failed."""
    errors = [task.error for task in run.tasks.values() if task.error]
    if not errors:
        return SettingsError(f"run {run.id} was stopped", remedy="run the pipeline again")
    return error_from_dict(errors[0])
