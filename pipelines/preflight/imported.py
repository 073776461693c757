"""A model from elsewhere, looked at before a run is started with it: what it is, and its columns.

Rule: its files are read and none of it is run; what needs no row to be refused is refused here.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.contract import Input, Output
from components.core.errors import SettingsError
from components.core.words import nearest
from components.import_model.declared import declared
from components.import_model.formats import digest_of, format_of
from components.import_model.served_output import require_output
from components.import_model.signature import Signature, read_signature
from components.import_model.step import Given
from components.import_model.tfx_artifacts import artifacts_of
from components.validate_examples.schema import parse_schema
from pipelines.loaded_settings import LoadedSettings


def given_model(path: Path, signature: Path | None, loaded: LoadedSettings) -> Given:
    """Return what is to be imported; SettingsError for what cannot be."""
    path = path.resolve()
    kind = format_of(path)
    said = read_signature(signature) if signature else None
    if said is not None:
        _require_columns("the signature names", said, loaded)
    found = declared(kind, path, said)
    if said is None:
        _require_columns("the model takes", found.signature, loaded, some=found.some)
    if found.output is not None:
        target = loaded.settings.source.target
        require_output(found.output, Output.of(target.task, target.classes or ()))
    return Given(
        name=path.name,
        format=kind,
        sha256=digest_of(path),
        signature=said,
        artifacts=artifacts_of(path),
        path=str(path),
    )


def _require_columns(
    subject: str, signature: Signature, loaded: LoadedSettings, *, some: bool = False
) -> None:
    """Raise SettingsError for a column that is none of the examples', or of another type there.

    `some`: the model may not use one that the examples lack, so the proof is to tell.
    """
    settings = loaded.settings
    types = {feature.name: feature.type for feature in parse_schema(loaded.schema).feature}
    lenient = bool(settings.waivers or settings.checks.severities)  # what the schema bars may pass
    for column in signature.inputs:
        if some and column.name not in types:
            continue
        _require_known(subject, column, types.keys(), settings.source.target.name)
        _require_not_sensitive(subject, column, settings.evaluate.sensitive)
        if column.dtype == "float32" and types[column.name] == schema_pb2.BYTES and not lenient:
            raise SettingsError(
                f"{subject} {column.name} as {column.dtype}, and by the schema it holds texts",
                remedy="correct the signature, or export the model with an input of that type",
                expected="string",
                actual=column.dtype,
            )


def _require_known(subject: str, column: Input, columns: Collection[str], target: str) -> None:
    """Raise SettingsError for a column that no example has, or that is known only later."""
    if column.name == target:
        raise SettingsError(
            f"{subject} {target}, which is the label",
            remedy="export a model that is not given what it is to tell",
        )
    known = {*columns} - {target}
    if column.name not in known:
        raise SettingsError(
            f"{subject} {column.name}, which the schema does not have{nearest(column.name, known)}",
            remedy="name columns of the examples; `tandem schema review` shows them",
            expected=sorted(known),
            actual=column.name,
        )


def _require_not_sensitive(subject: str, column: Input, sensitive: Collection[str]) -> None:
    """Raise SettingsError for a column that is there to compare groups by, and for no model."""
    if column.name in sensitive:
        raise SettingsError(
            f"{subject} {column.name}, which is sensitive (evaluate.sensitive): its groups are "
            "compared, and no model from elsewhere is given it",
            remedy="export a model that does not take it; or take it out of evaluate.sensitive, "
            "and slice by it",
            expected=f"columns other than {', '.join(sensitive)}",
            actual=column.name,
        )
