"""A model from elsewhere, looked at before a run is started with it: what it is, and its columns.

Rule: nothing of it is loaded; its bytes are hashed and its first two are looked at.
"""

from __future__ import annotations

from pathlib import Path

from components.core.errors import SettingsError
from components.core.words import nearest
from components.import_model.formats import digest_of, format_of
from components.import_model.signature import Signature, read_signature
from components.import_model.step import Given
from components.validate_examples.schema import parse_schema
from pipelines.loaded_settings import LoadedSettings


def given_model(path: Path, signature: Path | None, loaded: LoadedSettings) -> Given:
    """Return what is to be imported; SettingsError for what cannot be."""
    path = path.resolve()
    kind = format_of(path)
    said = read_signature(signature) if signature else None
    if said is None and kind == "torch_export":
        raise SettingsError(
            f"{path.name} does not name the columns that it takes",
            remedy="name them in a file, and the file with --signature",
        )
    if said is not None:
        _require_columns(said, loaded)
    return Given(
        name=path.name, format=kind, sha256=digest_of(path), signature=said, path=str(path)
    )


def _require_columns(signature: Signature, loaded: LoadedSettings) -> None:
    """Raise SettingsError for a column that no example has, or that is known only later."""
    target = loaded.settings.source.target.name
    known = {feature.name for feature in parse_schema(loaded.schema).feature} - {target}
    for column in signature.inputs:
        if column.name == target:
            raise SettingsError(
                f"the signature names {target}, which is the label",
                remedy="export a model that is not given what it is to tell",
            )
        if column.name not in known:
            raise SettingsError(
                f"the signature names {column.name}, which the schema does not have"
                f"{nearest(column.name, known)}",
                remedy="name columns of the examples; `tandem schema review` shows them",
                expected=sorted(known),
                actual=column.name,
            )
