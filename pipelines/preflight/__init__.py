"""What can be known to fail, found before anything is written or started.

Rules: a check costs milliseconds and imports nothing that it checks, but for Beam's options, which
only Beam knows; sources are found by the code that ingestion uses, and of a database only its
address is looked at. What passes here may still fail later: the disk fills, a file is removed.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
from itertools import chain
from pathlib import Path

from components.core.code import environment
from components.core.data_settings import Beam
from components.core.errors import PlatformError, SettingsError
from components.core.signature_names import require_signature_names
from pipelines.preflight.against_schema import check_against_schema
from pipelines.preflight.against_source import check_against_source
from pipelines.preflight.devices import check_device
from pipelines.settings import LoadedSettings, RunSettings
from pipelines.sources import MAIN, require_table, source_tables

LEAST_FREE_BYTES = 2 * 2**30
PACKAGES = (
    "apache_beam",
    "cryptography",
    "jinja2",
    "kfp",
    "mlflow",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "pyarrow",
    "rich",
    "tensorflow",
    "tensorflow_data_validation",
    "tensorflow_model_analysis",
    "tensorflow_transform",
    "torch",
)


def check(loaded: LoadedSettings, sources: Path) -> None:
    """Raise the first thing that would make a run fail; see the module's rules."""
    settings = loaded.settings
    check_packages()
    check_signature_names(settings)
    check_against_schema(settings, loaded.schema)
    for key, table in source_tables(settings.source):
        files = require_table(key, table, sources, settings.window.spans())
        if key == MAIN and files:
            check_against_source(settings.source, files[0])
    check_function("model.pytorch", settings.model.function("pytorch"))
    check_function("model.tensorflow", settings.model.function("tensorflow"))
    check_engine(settings.beam)
    check_device(settings.train.device)
    if settings.train.compile:
        check_compiler()
    if settings.transform.preprocessing_fn:
        check_function("transform.preprocessing_fn", settings.transform.preprocessing_fn)


def check_compiler() -> None:
    """Raise PlatformError where torch.compile would not find the C++ compiler that it asks for."""
    compiler = os.environ.get("CXX") or "g++"
    if shutil.which(compiler) is None:
        raise PlatformError(
            f"train.compile needs a C++ compiler, and there is no {compiler}",
            remedy="install g++, or set train.compile=false",
        )


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


def check_disk(home: Path, least: int = LEAST_FREE_BYTES) -> None:
    """Raise PlatformError unless a run's outputs can be written and `least` bytes are free."""
    existing = next(path for path in (home, *home.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise PlatformError(
            f"{existing} cannot be written", remedy="give another place with --home"
        )
    free = shutil.disk_usage(existing).free
    if free < least:
        raise PlatformError(
            f"only {free / 2**30:.1f} GiB are free in {existing}",
            remedy=f"free some: a run wants {least / 2**30:.0f} GiB, or use --home",
        )


def check_packages() -> None:
    """Raise PlatformError unless set-up finished and what it installed is there."""
    environment()
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise PlatformError(
            f"packages are missing: {', '.join(missing)}", remedy="run `make setup`"
        )


def check_function(key: str, name: str) -> None:
    """Raise SettingsError unless a model function's module defines it; the module is only read."""
    module, _, function = name.partition(":")
    try:
        spec = importlib.util.find_spec(module)  # which imports the packages around it
    except ModuleNotFoundError:
        spec = None
    except SyntaxError as error:
        raise _unreadable(key, error, module) from error
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise SettingsError(f"{key}: there is no module {module}", remedy="correct its name")
    try:
        names = _top_level_names(Path(spec.origin))
    except (SyntaxError, OSError) as error:
        raise _unreadable(key, error, spec.origin) from error
    if function not in names:
        raise SettingsError(
            f"{key}: {module} has no function {function}",
            remedy=f"name one of: {', '.join(sorted(names))}",
        )


def _unreadable(key: str, error: SyntaxError | OSError, module: str) -> SettingsError:
    """Return the error for a module that Python cannot read, with its file and line."""
    if isinstance(error, OSError):
        return SettingsError(
            f"{key}: {module} cannot be read: {error.strerror}", remedy="fix the permissions"
        )
    place = f"{error.filename or module}, line {error.lineno or 1}"
    return SettingsError(f"{key}: {place}: {error.msg}", remedy="correct the file")


def _top_level_names(source: Path) -> set[str]:
    """Return what a module defines or imports at its top level."""
    names: set[str] = set()
    for node in ast.parse(source.read_bytes(), str(source)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names
