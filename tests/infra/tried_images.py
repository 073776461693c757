"""The images built and tried, by `make test-images` alone: it takes minutes, gigabytes and root.

IMAGES names some, as "registry-cpu pytorch-cuda"; with REUSE=yes what was built before is tried,
and kept. Where there is no buildah, or with ENGINE=chroot, the same steps are run by hand
(infra/images/by_hand.py), each time anew. Trainers and the first two stages do again in their
image, as its user, what a small real run did here, and what they make is compared with what that
run made.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import building
import by_hand
import pytest

from components.core.artifacts import tree_digest
from components.core.bundle import Bundle
from components.core.image import IMAGE_OF_STAGE

ROOT = Path(__file__).resolve().parents[2]
IMAGES = os.environ.get("IMAGES") or "registry-cpu pytorch-cpu tensorflow-cpu data-cpu"
BY_HAND = os.environ.get("ENGINE") == "chroot" or shutil.which("buildah") is None
REUSE = os.environ.get("REUSE") == "yes"
BASE_OF_WHEELS = (2, 39)
pytestmark = pytest.mark.timeout(3600)  # the first test of an image waits for its build


@pytest.fixture(scope="module", params=IMAGES.split())
def built(request):
    """What runs a program in an image built here: (run, image, variant)."""
    image, _, variant = request.param.partition("-")
    before, engine = time.monotonic(), by_hand.built if BY_HAND else by_buildah
    with engine(image, variant) as run:
        print(f"{request.param}: built in {time.monotonic() - before:.0f} s")
        yield run, image, variant


@contextmanager
def by_buildah(image, variant):
    """What runs a program in an image that buildah has built."""
    name = f"localhost/tandem-{image}:{variant}"
    if not REUSE:
        building.build(image, variant)
    with building.container_of(name) as container:
        yield partial(building.run_in, container)
    if not REUSE:
        building.buildah("rmi", name)


def inside(built, *work, volumes=()):
    """Run a program in the container; its output, which is shown too."""
    before = time.monotonic()
    said = built[0](work, volumes, {"TPU_SKIP_MDS_QUERY": "1"})
    print(f"{'-'.join(built[1:])}: {' '.join(work)[:60]}: {time.monotonic() - before:.0f} s")
    return said


def test_an_image_is_a_debian_new_enough_with_a_user_that_may_not_write_code(built):
    assert inside(built, "id", "-u") == "65532"
    glibc = inside(built, "getconf", "GNU_LIBC_VERSION").split()[1]
    assert tuple(map(int, glibc.split("."))) >= BASE_OF_WHEELS
    may_not = inside(
        built, "find", "/opt/tandem", "/usr/share/sbom", "-writable", "-not", "-type", "l"
    )
    assert may_not == ""


def test_every_module_of_an_image_is_compiled(built):
    code = inside(built, "find", "/opt/tandem/code", "-name", "*.py")
    compiled = inside(built, "find", "/opt/tandem/code", "-name", "*.pyc")
    assert len(compiled.splitlines()) >= len(code.splitlines()) > 400


def test_the_faces_and_steps_of_an_images_stages_start(built):
    stages = [stage for stage, image in IMAGE_OF_STAGE.items() if image == built[1]]
    modules = [f"components.{stage}.{part}" for stage in stages for part in ("component", "step")]
    assert inside(built, "python", "-c", f"import {', '.join(modules)}; print('all')") == "all"


def test_the_command_starts(built):
    assert re.fullmatch(r"tandem \d+\.\d+\.\d+", inside(built, "tandem", "--version"))
    assert "--listen HOST:PORT" in inside(built, "tandem", "audit", "notary", "--help")


def test_the_bill_lists_what_python_finds_installed(built):
    """A licence per package, Debian's packages beside, Tandem and PyTorch's CPU build too."""
    title = f"tandem-{built[1]}-{built[2]}"
    bill = json.loads(inside(built, "cat", f"/usr/share/sbom/{title}.cdx.json"))
    there = inside(
        built, "python", "-c",
        "from importlib.metadata import distributions as found\n"
        "for one in found(): print(one.name, one.version)",
    )  # fmt: skip
    listed = {
        (re.sub(r"[-_.]+", "-", one["name"]).lower(), one["version"])
        for one in bill["components"]
        if one["purl"].startswith("pkg:pypi/")
    }
    assert listed == {
        (re.sub(r"[-_.]+", "-", name).lower(), version)
        for name, version in (line.split() for line in there.splitlines())
    }
    assert any(one["purl"].startswith("pkg:deb/debian/python3@") for one in bill["components"])


@pytest.fixture
def folders(small_run, tmp_path):
    """What a stage is given, and where it writes: the image's user is nobody here."""
    given, made = tmp_path / "given", tmp_path / "made"
    given.mkdir()
    made.mkdir()
    shutil.copy(small_run.folder / "arguments.json", given)
    shutil.copy(ROOT / "infra" / "images" / "trial.py", given)
    for path in (tmp_path, *tmp_path.parents[:2], made):
        path.chmod(0o777)
    return given, made


def again(built, folders, stage):
    """Run a stage's step in the image."""
    given, made = folders
    volumes = (f"{given}:/given:ro", f"{made}:/made")
    print(inside(built, "python", "/given/trial.py", stage, "/given", "/made", volumes=volumes))


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_a_trainer_makes_in_its_image_what_it_made_here(built, framework, request):
    if built[1] != framework:
        pytest.skip(f"{built[1]} is not {framework}'s image")
    small_run = request.getfixturevalue("small_run")
    given, made = folders = request.getfixturevalue("folders")
    for name in ("features", "transform_graph"):
        shutil.copytree(small_run.output("transform_features", name), given / name)
    again(built, folders, f"train_{framework}")
    port = f"{framework}_model"
    there, here = (
        Bundle.open(folder).contract
        for folder in (made / port, small_run.output(f"train_{framework}", port))
    )
    assert [form.name for form in there.forms] == [form.name for form in here.forms]
    assert all(form.parity.holds for form in there.forms if form.parity)


def test_the_data_stages_make_in_their_image_the_bytes_that_they_made_here(built, request):
    if built[1] != "data":
        pytest.skip(f"{built[1]} is not the image of data")
    small_run = request.getfixturevalue("small_run")
    given, made = folders = request.getfixturevalue("folders")
    again(built, folders, "ingest_examples")
    assert tree_digest(made / "examples") == small_run.digest("ingest_examples", "examples")
    (made / "examples").rename(given / "examples")
    again(built, folders, "validate_examples")
    told = json.loads((made / "validation" / "validation.json").read_text())
    assert told == small_run.json("validate_examples", "validation", "validation.json")
