"""`tandem compile`: the pipeline as Kubeflow Pipelines takes it, for a target."""

from __future__ import annotations

import re
import shlex
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from components.core.canonical import sha256_bytes
from components.core.errors import SettingsError
from components.core.kubernetes_names import NAMESPACE
from pipelines.cli.output import print_json

if TYPE_CHECKING:
    from pipelines.target import Target


def compile_dag(arguments: Namespace) -> int:
    """Write the compiled pipeline to a file or to standard output."""
    from pipelines.compiler import write_compiled
    from pipelines.shipped import shipped_sha256

    path = Path(arguments.output) if arguments.output else None
    if path is not None and not path.parent.exists():
        raise SettingsError(
            f"there is no folder {path.parent}",
            remedy=f"make it (mkdir -p {shlex.quote(str(path.parent))}), or name another file",
        )
    text = _text(arguments)
    _tell_missing_images(arguments.target)
    if path is not None:
        write_compiled(path, text)
    sha256 = sha256_bytes(text.encode())
    if arguments.json:
        place = {"pipeline": text} if path is None else {"file": str(path)}
        print_json({**place, "sha256": sha256, "shipped_sha256": shipped_sha256(text)})
    elif path is None:
        print(text, end="")
    else:
        print(f"{path}: sha256 {sha256}")
    return 0


def _tell_missing_images(target: str) -> None:
    """Say which images no pod could pull: the file is good to compare, and not to run."""
    from pipelines.target import load_target

    images = load_target(target).images
    if images is not None and (missing := images.missing()):
        print(
            f"digests of zeros for {', '.join(missing)}: no pod can pull these images; put in "
            "those of your own (docs/images.md) before this is run",
            file=sys.stderr,
        )


def _text(arguments: Namespace) -> str:
    from pipelines.compiler import TRAINING, compiled, manifests
    from pipelines.target import load_target

    target = load_target(arguments.target)
    _check_settings(arguments, target)
    if not arguments.kubernetes:
        if arguments.namespace:
            raise SettingsError("--namespace goes with --kubernetes", remedy="add it, or leave it")
        return compiled(TRAINING, target)
    if target.images is None:
        raise SettingsError(
            f"the target {target.name} is this machine, which takes no Kubernetes objects",
            remedy="name a cluster's target with --target",
        )
    namespace = arguments.namespace or "kubeflow"
    if not re.fullmatch(NAMESPACE, namespace):
        raise SettingsError(
            f"{namespace} is no namespace", remedy="63 small letters, digits and - at most"
        )
    return manifests(TRAINING, target, namespace)


def _check_settings(arguments: Namespace, target: Target) -> None:
    """Raise SettingsError for settings, where some are named, that do not go with the target."""
    if arguments.settings:
        from pipelines.loaded_settings import read_settings
        from pipelines.preflight.on_target import check_on_target, check_subjects
        from pipelines.settings_file import find_settings

        settings = read_settings(find_settings(arguments.settings), arguments.overrides)
        check_on_target(settings.train, target)
        check_subjects(settings.source.subject, target)
    elif arguments.overrides:
        raise SettingsError("--set goes with --settings", remedy="name settings, or leave it")
