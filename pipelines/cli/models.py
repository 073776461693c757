"""`tandem models`: what a bundle holds, and the predictions of any of its forms.

Rules: a bundle is opened only after its contract and every file were checked; a form that takes
features gets them from the bundle's own preprocessing.onnx; rows are read and scored a batch at a
time, and only one JSON object holds all their probabilities; an output file appears whole or not at
all.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from components.core.bundle import PROBABILITY, Bundle, open_onnx
from components.core.errors import PlatformError, SettingsError
from components.core.examples import raw_inputs
from components.core.runtimes import open_form
from components.core.words import nearest
from components.training.parity import features_of
from pipelines.cli.output import print_json
from pipelines.cli.rows_of_files import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from components.core.bundle import Form


def inspect(arguments: Namespace) -> int:
    """Say what a bundle takes, gives and was proven to give."""
    bundle = Bundle.open(_folder(arguments.path))
    contract = bundle.contract
    sizes = {form.name: _size(bundle.path(form.name)) for form in contract.forms}
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
    parity = form.parity
    operators = sum(len(names) for names in form.operators.values())
    return (
        f"{form.name:12} {form.path}, {size:,} bytes, takes {form.takes}, {operators} operators; "
        f"at most {parity.max_abs_difference:.2g} from the framework on {parity.rows:,} rows "
        f"(allowed: {parity.tolerance:g})"
    )


def predict(arguments: Namespace) -> int:
    """Write the probability of each row of a file, in the rows' order."""
    if arguments.output and Path(arguments.output).resolve() == Path(arguments.input).resolve():
        raise SettingsError("-o names the input itself", remedy="name another file with -o")
    bundle = Bundle.open(_folder(arguments.path))
    score = scorer(bundle, arguments.form)
    inputs = bundle.contract.input_types
    found = (score(raw_inputs(rows, inputs)) for rows in rows_of(Path(arguments.input), inputs))
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


def scorer(bundle: Bundle, name: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return what a form makes of raw rows; SettingsError where the bundle does not have it."""
    names = [form.name for form in bundle.contract.forms]
    if name not in names:
        raise SettingsError(
            f"the bundle has no form {name}{nearest(name, names)}",
            remedy=f"name one of: {', '.join(names)}",
        )
    score = open_form(name, bundle.path(name))
    if bundle.contract.form(name).takes == "raw_rows":
        return score
    if bundle.contract.preprocessing is None:
        raise SettingsError(
            f"form {name} takes features, and the bundle has no preprocessing to make them",
            remedy="name a form that takes raw rows",
        )
    preprocessing = open_onnx(bundle.folder / bundle.contract.preprocessing)

    def on_features(rows: Mapping[str, Any]) -> Any:
        features = features_of(preprocessing, rows)
        return score({"dense": features.dense, "ids": features.ids})

    return on_features


def _folder(path: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise SettingsError(
            f"{folder} is no folder",
            remedy="name a bundle's folder, such as artifacts/.../pytorch_model of a run",
        )
    return folder


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


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
    path = Path(output).resolve()  # a link stays, and what it names is written
    if path.exists() and not path.is_file():
        raise SettingsError(f"{path} is no file", remedy="name a file with -o")
    beside = path.with_name(f".{path.name}.unfinished")
    try:
        with beside.open("w", encoding="utf-8") as stream:
            yield stream
        beside.replace(path)
    except OSError as error:
        raise PlatformError(
            f"{path} cannot be written: {error.strerror}", remedy="name another file with -o"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
