"""`tandem models`: what a bundle holds, and the predictions of any of its forms.

Rules: a bundle is opened only after its contract and every file were checked; rows are scored a
batch at a time, and only one JSON object holds all their probabilities; an output file appears
whole or not at all.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from components.core.artifacts import written_whole
from components.core.bundle import PROBABILITY, Bundle
from components.core.errors import PlatformError, SettingsError
from components.training.scoring import scored
from pipelines.cli.output import print_json

if TYPE_CHECKING:
    import numpy as np

    from components.core.contract import Form


def inspect(arguments: Namespace) -> int:
    """Say what a bundle takes, gives and was proven to give."""
    bundle = Bundle.open(_folder(arguments.path))
    contract = bundle.contract
    sizes = {form.name: bundle.size_bytes(form.name) for form in contract.forms}
    if arguments.json:
        print_json({"sha256": bundle.sha256, "size_bytes": sizes, "contract": contract.to_dict()})
        return 0
    print(f"{contract.framework} {contract.family}, {contract.parameters:,} parameters")
    print(f"bundle   sha256 {bundle.sha256}")
    print(f"weights  sha256 {contract.weights_sha256}")
    print(f"takes    {', '.join(f'{i.name} {i.dtype}' for i in contract.inputs)}")
    print(f"gives    {contract.output.name} {contract.output.dtype}")
    for form in contract.forms:
        print(_form_line(form, sizes[form.name]))
    return 0


def _form_line(form: Form, size: int) -> str:
    operators = sum(len(names) for names in form.operators.values())
    held = f"{form.name:17} {form.path}, {size:,} bytes, takes {form.takes}, {operators} operators"
    return f"{held}; {_proof(form)}"


def _proof(form: Form) -> str:
    """Say how near a form was to the framework."""
    if (parity := form.parity) is not None:
        return (
            f"at most {parity.max_abs_difference:.2g} from the framework on {parity.rows:,} rows "
            f"(allowed: {parity.tolerance:g})"
        )
    if (quality := form.quality) is not None:
        return (
            f"AUC {quality.auc:.4f} of the framework's {quality.framework_auc:.4f} "
            f"(allowed: {quality.auc_tolerance:g} less) and {quality.agreement:.2%} on its side of "
            f"a half on {quality.rows:,} rows (allowed: {quality.least_agreement:.0%})"
        )
    return "no proof"


def predict(arguments: Namespace) -> int:
    """Write the probability of each row of a file, in the rows' order."""
    if arguments.output and Path(arguments.output).resolve() == Path(arguments.input).resolve():
        raise SettingsError("-o names the input itself", remedy="name another file with -o")
    bundle = Bundle.open(_folder(arguments.path))
    found = scored(bundle, arguments.form, Path(arguments.input))
    if arguments.json and not arguments.output:
        values = [float(value) for part in found for value in part]
        print_json({"form": arguments.form, "rows": len(values), PROBABILITY: values})
        return 0
    with _written(arguments.output) as stream:
        count = _write(found, stream)
    if arguments.json:
        print_json({"form": arguments.form, "rows": count, "file": arguments.output})
    elif arguments.output:
        print(f"{arguments.output}: {count} rows by {arguments.form}")
    return 0


def _folder(path: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise SettingsError(
            f"{folder} is no folder",
            remedy="name a bundle's folder, such as artifacts/.../pytorch_model of a run",
        )
    return folder


def _write(found: Iterator[np.ndarray[Any, Any]], stream: TextIO) -> int:
    """Write a header and a line for each row; return the number of rows.

    Nothing is written before the first rows could be read and scored.
    """
    count, header = 0, f"{PROBABILITY}\n"
    for part in found:
        stream.write(header if count == 0 else "")
        stream.write("".join(f"{value:.9g}\n" for value in part.tolist()))
        count += len(part)
    if count == 0:
        stream.write(header)
    return count


@contextmanager
def _written(output: str | None) -> Iterator[TextIO]:
    """Give standard output, or a file that takes its name only once all is in it."""
    if output is None:
        yield sys.stdout
        return
    path = Path(output)
    if path.exists() and not path.is_file():
        raise SettingsError(f"{path} is no file", remedy="name a file with -o")
    try:
        with written_whole(path) as stream:
            yield stream
    except OSError as error:
        raise PlatformError(
            f"{path} cannot be written: {error.strerror}", remedy="name another file with -o"
        ) from error
