"""`tandem models`: what a bundle holds, and the predictions of any of its forms.

Rules: a bundle is opened only after its contract and every file were checked; rows are scored a
batch at a time, and only one JSON object holds all their predictions; an output file appears
whole or not at all. Of several classes a row has the probability of each and the name of the first
that has the highest.
"""

from __future__ import annotations

import csv
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from components.core.artifacts import written_whole
from components.core.bundle import Bundle
from components.core.contract import CLASS
from components.core.errors import PlatformError, SettingsError
from components.core.form_proof import ClassQuality, ValueQuality
from components.training.scoring import scored
from pipelines.cli.output import print_json

if TYPE_CHECKING:
    import numpy as np

    from components.core.contract import Form, Output


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
    classes = f" of {', '.join(contract.output.classes)}" if contract.output.classes else ""
    print(f"gives    {contract.output.name} {contract.output.dtype}{classes}")
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
    quality = form.quality
    if isinstance(quality, ValueQuality):
        return (
            f"{quality.error:.2g} standard deviations of the target from the framework on average "
            f"of {quality.rows:,} rows (allowed: {quality.error_tolerance:g})"
        )
    if isinstance(quality, ClassQuality):
        return (
            f"accuracy {quality.accuracy:.4f} of the framework's {quality.framework_accuracy:.4f} "
            f"(allowed: {quality.accuracy_tolerance:g} less) and {quality.agreement:.2%} of its "
            f"classes on {quality.rows:,} rows (allowed: {quality.least_agreement:.0%})"
        )
    if quality is not None:
        return (
            f"AUC {quality.auc:.4f} of the framework's {quality.framework_auc:.4f} "
            f"(allowed: {quality.auc_tolerance:g} less) and {quality.agreement:.2%} on its side of "
            f"a half on {quality.rows:,} rows (allowed: {quality.least_agreement:.0%})"
        )
    return "no proof"


def predict(arguments: Namespace) -> int:
    """Write the prediction of each row of a file, in the rows' order."""
    if arguments.output and Path(arguments.output).resolve() == Path(arguments.input).resolve():
        raise SettingsError("-o names the input itself", remedy="name another file with -o")
    bundle = Bundle.open(_folder(arguments.path))
    found = scored(bundle, arguments.form, Path(arguments.input))
    if arguments.json and not arguments.output:
        values = [value for part in found for value in part.tolist()]
        told = _told(bundle.contract.output, values)
        print_json({"form": arguments.form, "rows": len(values), **told})
        return 0
    with _written(arguments.output) as stream:
        count = _write(found, stream, bundle.contract.output)
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


def _told(output: Output, values: list[Any]) -> dict[str, Any]:
    """Return predictions as JSON shows them, by the output's name."""
    if not output.classes:
        return {output.name: values}
    best = [_best(output, row) for row in values]
    return {"classes": output.classes, output.name: values, CLASS: best}


def _best(output: Output, row: list[float]) -> str:
    return output.classes[row.index(max(row))]


def _write(found: Iterator[np.ndarray[Any, Any]], stream: TextIO, output: Output) -> int:
    """Write a header and a line for each row; return the number of rows.

    Nothing is written before the first rows could be read and scored.
    """
    count, table = 0, csv.writer(stream, lineterminator="\n")
    for part in found:
        if count == 0:
            table.writerow(output.columns)
        table.writerows(_cells(output, value) for value in part.tolist())
        count += len(part)
    if count == 0:
        table.writerow(output.columns)
    return count


def _cells(output: Output, value: Any) -> list[str]:
    """Return a row's prediction as the cells of a line."""
    if not output.classes:
        return [f"{value:.9g}"]
    return [*(f"{part:.9g}" for part in value), _best(output, value)]


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
