"""What can be known to fail, found before anything is written or started.

Rules: a check costs milliseconds and imports nothing that it checks, but for Beam's options, which
only Beam knows; sources are found by the code that ingestion uses, and of a database only its
address is looked at. What passes here may still fail later: the disk fills, a file is removed.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from components.core.data_settings import Beam
from components.core.errors import SettingsError
from components.core.signature_names import require_signature_names
from pipelines.loaded_settings import LoadedSettings
from pipelines.preflight.against_schema import check_against_schema
from pipelines.preflight.against_source import check_against_source
from pipelines.preflight.devices import check_device
from pipelines.preflight.functions import check_function
from pipelines.preflight.machine import check_compiler, check_packages
from pipelines.settings import RunSettings
from pipelines.sources import MAIN, require_table, source_tables


def check_before_run(loaded: LoadedSettings, sources: Path) -> None:
    """Raise the first thing that would make a run fail; see the module's rules."""
    settings = loaded.settings
    check_signature_names(settings)
    check_data(loaded, sources)
    check_function("model.pytorch", settings.model.function("pytorch"))
    check_function("model.tensorflow", settings.model.function("tensorflow"))
    check_device(settings.train.device)
    if settings.train.compile:
        check_compiler()
    if settings.transform.preprocessing_fn:
        check_function("transform.preprocessing_fn", settings.transform.preprocessing_fn)


def check_data(loaded: LoadedSettings, sources: Path) -> None:
    """Raise the first thing that would make ingestion or validation fail."""
    settings = loaded.settings
    check_all_but_rows(loaded)
    for key, table in source_tables(settings.source):
        files = require_table(key, table, sources, settings.window.spans())
        if key == MAIN and files:
            check_against_source(settings.source, files[0])


def check_all_but_rows(loaded: LoadedSettings) -> None:
    """Raise the first thing that would make them fail wherever the rows lie."""
    check_packages()
    check_against_schema(loaded.settings, loaded.schema)
    check_engine(loaded.settings.beam)


def check_signature_names(settings: RunSettings) -> None:
    """Raise SettingsError for a feature's column that cannot be an input of a SavedModel."""
    if "saved_model" in settings.train.forms:
        columns = sorted({*chain(*settings.transform.inputs().values())})
        try:
            require_signature_names(columns)
        except SettingsError as error:
            raise SettingsError(
                f"transform.features: {error.message}", remedy=error.remedy
            ) from error


def check_engine(beam: Beam) -> None:
    """Raise SettingsError for an engine that lacks an option; Beam loads only where it is set."""
    if beam.runner != "FnApiRunner" or beam.options:
        from components.core.beam_engine import pipeline_options

        pipeline_options(beam)
