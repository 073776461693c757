"""What a model's files declare, read before a run: what it takes, and of a bundle what it gives.

Why: what no row is needed for is refused before the first row is read.

Rules: nothing of the model is run, and neither TensorFlow nor PyTorch is imported, which takes
seconds; each format is read by the functions that its proof uses too (originals.py), so that what
is refused here would be refused there. What passes may still be refused by its runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.core.bundle import Bundle
from components.core.contract import Output
from components.import_model.formats import Format
from components.import_model.pt2_archive import require_no_code
from components.import_model.saved_signature import saved_signature
from components.import_model.served_form import declared_signature, read_onnx
from components.import_model.signature import Signature, contract_signature, named_numbers


@dataclass(frozen=True)
class Declared:
    """What a model takes, and what it gives where its files say that.

    `some`: of the columns in the signature it takes some, which shows only when it is opened.
    """

    signature: Signature
    output: Output | None = None
    some: bool = False


def declared(kind: Format, path: Path, said: Signature | None) -> Declared:
    """Return what a model declares beside what is said of it.

    Raises SettingsError for files that are none of their format, that could run code, or that do
    not take what is said; IntegrityError for a bundle that differs from its contract.
    """
    if kind == "bundle":
        contract = Bundle.open(path).contract
        return Declared(contract_signature(contract, said), contract.output)
    if kind == "torch_export":
        signature = named_numbers(path, said)
        require_no_code(path)
        return Declared(signature)
    if kind == "saved_model":
        saved = saved_signature(path, said)
        return Declared(saved.signature, some=saved.parses and said is None)
    return Declared(declared_signature(read_onnx(path), said))
