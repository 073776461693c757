"""What can be said of the images without building them; `make try-tpu-image` builds one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.core.quiet import QUIET

ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILES = sorted((ROOT / "infra" / "images").glob("*/Containerfile"))


@pytest.fixture(params=CONTAINERFILES, ids=lambda path: path.parent.name)
def containerfile(request):
    """Return a Containerfile's instructions, continued lines joined, comments left out."""
    lines = request.param.read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    return text.replace("\\\n", " ").splitlines()


def instructions(containerfile, name):
    return [line.removeprefix(name).split() for line in containerfile if line.startswith(name)]


def test_there_are_images():
    assert CONTAINERFILES


def test_an_image_runs_as_nobody(containerfile):
    user, *others = instructions(containerfile, "USER ")[-1]
    assert not others
    assert all(int(number) > 0 for number in user.split(":"))


def test_an_image_sends_and_prints_nothing_of_its_dependencies(containerfile):
    pairs = [word.split("=", 1) for words in instructions(containerfile, "ENV ") for word in words]
    assert QUIET.items() <= dict(pairs).items()


def test_what_an_image_copies_is_there(containerfile):
    for *sources, _ in instructions(containerfile, "COPY "):
        for source in sources:
            assert (ROOT / source).exists(), source


def test_every_package_of_an_image_is_locked_by_hash(containerfile):
    runs = " ".join(" ".join(words) for words in instructions(containerfile, "RUN "))
    installs = re.findall(r"pip install [^&]*", runs)
    assert installs
    for install in installs:
        assert "--require-hashes" in install
        lock = ROOT / "infra" / "locks" / Path(install.split(" -r ")[1].split()[0]).name
        pins = re.findall(r"^[a-zA-Z0-9].*$", lock.read_text(), re.MULTILINE)
        assert pins
        assert all(re.fullmatch(r"\S+==\S+( ; .*)? \\", pin) for pin in pins)


def test_the_trainers_image_for_tpus_reads_by_the_environments_versions():
    """Artifacts pass between it and the other stages."""
    pins = {
        name: dict(re.findall(r"^(\S+)==(\S+)", (ROOT / "infra/locks" / name).read_text(), re.M))
        for name in ("tensorflow-tpu.txt", "py313-cpu.txt")
    }
    of_tpu, everywhere = pins.values()
    assert of_tpu["tensorflow-tpu"].startswith("2.20.")
    assert "tensorflow" not in of_tpu
    shared = of_tpu.keys() & everywhere.keys()
    assert {"numpy", "pyarrow", "onnx", "onnxruntime", "kfp", "protobuf", "keras"} <= shared
    assert {n: of_tpu[n] for n in shared} == {n: everywhere[n] for n in shared}
