"""Each stage's imports are in its image's lock, and the bill of materials lists the lock.

The imports are read from the sources: all that can be reached from a stage's face, also those
inside functions, whose turn may come.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from components.core.image import IMAGE_OF_STAGE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "infra" / "locks").glob("image-*.txt"))
OURS = {"components", "pipelines", "schemas"}
# What only the other framework's forms and other devices need: a trainer opens none of them.
NEVER_REACHED = {
    "train_pytorch": {"tensorflow", "ai-edge-litert", "torch-xla"},
    "train_tensorflow": {"torch"},
}
# Packages whose parts are imported by a name of several distributions, or of another than theirs.
DISTRIBUTION = {"google.protobuf": "protobuf", "torch_xla": "torch-xla"}
INSTEAD = {"tensorflow-tpu": "tensorflow"}
# The CPU build of PyTorch is installed beside these locks (docs/adr/0004).
WITH_TORCH = ("image-data-cpu", "image-pytorch-cpu")
# What the registry's image is asked to do, beside its stages.
COMMANDS = (
    "audit", "audit_answers", "audit_export", "audit_keys", "audit_monitor", "audit_notary",
    "openlineage", "registered", "runs",
)  # fmt: skip


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(lock):
    found = re.findall(r"^(\S+)==(\S+)", lock.read_text(), re.MULTILINE)
    names = {normalised(name): version for name, version in found}
    return names | {"torch": "2.13.0"} if lock.stem in WITH_TORCH else names


def file_of(module):
    path = ROOT / module.replace(".", "/")
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


@cache
def imports_of(module):
    """Return what a module of ours imports; `from x import y` may name a module x.y."""
    found = set()
    for node in ast.walk(ast.parse(file_of(module).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def reached_from(*modules):
    """Return the modules of others that can be reached."""
    seen, others, waiting = set(), set(), list(modules)
    while waiting:
        module = waiting.pop()
        if module.split(".")[0] not in OURS:
            others.add(module)
        elif module not in seen and file_of(module):
            seen.add(module)
            waiting += imports_of(module)
    assert len(seen) > 10
    return others


@cache
def installed():
    """Return the distributions of each package here; to find them takes a second."""
    return packages_distributions()


@cache
def distributions_of(module):
    """Return the distributions that may hold a module, none for the standard library's."""
    top = module.split(".")[0]
    for prefix, name in DISTRIBUTION.items():
        if f"{module}.".startswith(f"{prefix}."):
            return {name}
    if top in sys.stdlib_module_names or top == "google":
        return set()
    return {normalised(name) for name in installed()[top]}


def missing(modules, pins):
    """Return the distributions that are imported and not pinned."""
    there = pins.keys() | {INSTEAD[name] for name in INSTEAD if name in pins}
    wanted = (distributions_of(module) for module in reached_from(*modules))
    return {min(names) for names in wanted if names and not names & there}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_what_a_stage_may_import_is_in_its_image(lock):
    image = lock.stem.split("-")[1]
    stages = [stage for stage, of in IMAGE_OF_STAGE.items() if of == image]
    assert stages
    for stage in stages:
        faces = [f"components.{stage}.component", f"components.{stage}.step"]
        assert missing(faces, pinned(lock)) == NEVER_REACHED.get(stage, set()), stage


def test_a_form_of_the_other_framework_is_opened_by_one_function_of_two_modules():
    """So NEVER_REACHED is told by who imports them, and cannot grow unseen."""
    for framework in ("tensorflow", "ai_edge_litert", "torch"):
        other = "train_tensorflow" if framework == "torch" else "train_pytorch"
        importers = {
            path.relative_to(ROOT).as_posix()
            for folder in ("core", "training", other, "audit")
            for path in (ROOT / "components" / folder).rglob("*.py")
            for name in imports_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
            if name.split(".")[0] == framework
        }
        assert importers <= {"components/core/runtimes.py", "components/core/operators.py"}


def test_the_registrys_image_answers_the_auditors_commands():
    modules = [f"pipelines.cli.{name}" for name in COMMANDS]
    [lock] = [lock for lock in LOCKS if lock.stem.startswith("image-registry")]
    assert missing(modules, pinned(lock)) == set()


@pytest.fixture(scope="module")
def sbom():
    """The module that writes the bills; infra/images is no package."""
    path = ROOT / "infra" / "images" / "sbom.py"
    spec = importlib.util.spec_from_file_location("images_sbom", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_the_bill_of_an_image_is_valid_and_lists_exactly_the_lock(lock, sbom, tmp_path):
    _, image, variant = lock.stem.split("-")
    arguments = [image, variant, "--licences", sys.prefix, "--output", str(tmp_path)]
    assert sbom.main(arguments) == 0
    [path] = tmp_path.iterdir()
    text = path.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    listed = {
        (one["purl"], frozenset(h["content"] for h in one["externalReferences"][0]["hashes"]))
        for one in json.loads(text)["components"]
    }
    entries = re.findall(r"^(\S+)==(\S+).*\n((?:[ \t]+.*\n)+)", lock.read_text(), re.MULTILINE)
    assert len(entries) > 50
    assert listed == {
        (f"pkg:pypi/{normalised(name)}@{version}", frozenset(re.findall(r":(\w{64})", hashes)))
        for name, version, hashes in entries
    }


def test_a_bill_says_the_licence_that_the_package_itself_says(sbom, tmp_path):
    arguments = ["registry", "cpu", "--licences", sys.prefix, "--output", str(tmp_path)]
    assert sbom.main(arguments) == 0
    text = (tmp_path / "tandem-registry-cpu.cdx.json").read_text()
    told = {one["name"]: one.get("licenses") for one in json.loads(text)["components"]}
    assert told["attrs"] == [{"license": {"id": "MIT"}}]
    assert sum(licence is None for licence in told.values()) < len(told) / 10


def test_an_image_without_a_pinned_package_gets_no_bill(sbom, tmp_path, capsys):
    """The environment of the tests has other versions of some, and no tensorflow-tpu."""
    arguments = ["tensorflow", "tpu", "--installed", sys.prefix, "--output", str(tmp_path)]
    assert sbom.main(arguments) == 1
    assert "tensorflow-tpu==2.20.0 is not installed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_installed_beside_the_lock_is_listed_too(sbom):
    known = sbom.installed(Path(sys.prefix))
    bom = sbom.bill("x", [], known, frozenset({"torch"}), "libc6 2.41-12 amd64")
    assert [one.purl.to_string() for one in bom.components] == [
        "pkg:deb/debian/libc6@2.41-12?arch=amd64",
        f"pkg:pypi/torch@{known['torch'].version.replace('+', '%2B')}",
    ]
