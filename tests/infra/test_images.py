"""What can be said of the images without building them; `make test-images` builds them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.core.image import IMAGE_OF_STAGE
from components.core.quiet import QUIET

ROOT = Path(__file__).resolve().parents[2]
IMAGES, LOCKS = ROOT / "infra" / "images", ROOT / "infra" / "locks"
CONTAINERFILES = sorted(IMAGES.glob("*/Containerfile"))
SETUP = (ROOT / "infra" / "host" / "setup.py").read_text()
[TORCH_VERSION] = re.findall(r'^TORCH_VERSION = "(.*)"$', SETUP, re.MULTILINE)
LABELS = ("title", "licenses", "version", "revision", "created", "base.name")


@pytest.fixture(params=CONTAINERFILES, ids=lambda path: path.parent.name)
def image(request):
    return request.param.parent.name


@pytest.fixture
def containerfile(image):
    """Return a Containerfile's instructions, continued lines joined, comments left out."""
    lines = (IMAGES / image / "Containerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    return text.replace("\\\n", " ").splitlines()


@pytest.fixture
def last_stage(containerfile):
    """Return the instructions that the image itself is made of."""
    starts = [place for place, line in enumerate(containerfile) if line.startswith("FROM ")]
    return containerfile[starts[-1] :]


def instructions(containerfile, name):
    return [line.removeprefix(name).split() for line in containerfile if line.startswith(name)]


def variants(image):
    return [path.stem.rpartition("-")[2] for path in LOCKS.glob(f"image-{image}-*.txt")]


def pinned(path):
    return dict(re.findall(r"^(\S+)==(\S+)", path.read_text(), re.MULTILINE))


def test_every_stage_has_an_image_and_every_image_stages():
    stages = {path.parent.name for path in ROOT.glob("components/*/component.py")}
    assert IMAGE_OF_STAGE.keys() == stages
    assert {path.parent.name for path in CONTAINERFILES} == set(IMAGE_OF_STAGE.values())


def test_an_image_has_the_variants_that_are_locked(image, containerfile):
    wanted = {"registry": {"cpu"}, "tensorflow": {"cpu", "cuda", "tpu"}}
    assert set(variants(image)) == wanted.get(image, {"cpu", "cuda"})
    defaults = {words[0] for words in instructions(containerfile, "ARG ")}
    assert "VARIANT=cpu" in defaults


def test_an_image_is_made_from_a_debian_whose_glibc_the_wheels_ask_for(containerfile):
    """Debian 13 has glibc 2.41; the newest that a wheel names is 2.39."""
    assert containerfile[0] == "ARG BASE=docker.io/library/debian:13-slim"
    assert [words[0] for words in instructions(containerfile, "FROM ")] == [
        "${BASE}",
        "runtime",
        "runtime",
    ]


def test_what_builds_an_image_is_not_in_it(last_stage):
    assert instructions(last_stage, "RUN ") == []
    assert instructions(last_stage, "COPY ") == [
        ["--from=build", "/opt/tandem", "/opt/tandem"],
        ["--from=build", "/opt/sbom", "/usr/share/sbom"],
    ]


def test_an_image_says_where_it_comes_from(last_stage):
    [words] = instructions(last_stage, "LABEL ")
    told = dict(re.findall(r'org\.opencontainers\.image\.(\S+)="([^"]*)"', " ".join(words)))
    assert set(LABELS) == told.keys()
    assert told["licenses"] == "Apache-2.0"
    declared = {words[0].partition("=")[0] for words in instructions(last_stage, "ARG ")}
    assert set(re.findall(r"\$\{(\w+)\}", " ".join(told.values()))) <= declared


def test_an_image_is_byte_compiled_and_may_compile(containerfile):
    install = (IMAGES / "install.sh").read_text()
    assert "--compile-bytecode" in re.findall(r'^into="(.*)"$', install, re.MULTILINE)[0]
    own = " ".join(" ".join(words) for words in instructions(containerfile, "RUN "))
    assert "-m compileall -q /opt/tandem/code" in own
    assert "PYTHONDONTWRITEBYTECODE" not in install + "\n".join(containerfile)


def test_the_registrys_image_is_the_command_and_kfp_gives_the_others_theirs(image, last_stage):
    given = instructions(last_stage, "ENTRYPOINT ")
    assert given == ([['["tandem"]']] if image == "registry" else [])
    assert not instructions(last_stage, "CMD ")


def test_an_image_runs_as_nobody(containerfile):
    user, *others = instructions(containerfile, "USER ")[-1]
    assert not others
    assert all(int(number) > 0 for number in user.split(":"))


def test_an_image_sends_and_prints_nothing_of_its_dependencies(containerfile):
    pairs = [word.split("=", 1) for words in instructions(containerfile, "ENV ") for word in words]
    assert QUIET.items() <= dict(pairs).items()


def test_what_an_image_copies_is_there_and_not_ignored(image, containerfile):
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    sent = [line.removeprefix("!") for line in ignore if line.startswith("!")]
    copies = [words for words in instructions(containerfile, "COPY ") if "--from" not in words[0]]
    sources = [source for *sources, _ in copies for source in sources]
    assert "infra/images/install.sh" in sources
    for variant in variants(image):
        for source in sources:
            path = source.replace("${VARIANT}", variant)
            assert (ROOT / path).exists(), path
            assert any(path == one or path.startswith(f"{one}/") for one in sent), path


def test_every_package_of_an_image_is_locked_by_hash(image):
    """But for Tandem itself, and PyTorch's CPU build, which is set-up's (docs/adr/0004)."""
    install = (IMAGES / "install.sh").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install (.*)", install)
    assert len(installs) == 3
    loose = [words for words in installs if "--require-hashes" not in words]
    assert [words.split()[-1] for words in loose] == [f"torch=={TORCH_VERSION}"]
    locks = [LOCKS / f"image-{image}-{variant}.txt" for variant in variants(image)]
    for lock in (LOCKS / "bootstrap.txt", LOCKS / "sbom.txt", *locks):
        pins = re.findall(r"^[a-zA-Z0-9].*$", lock.read_text(), re.MULTILINE)
        assert pins
        assert all(re.fullmatch(r"\S+==\S+( ; .*)? \\", pin) for pin in pins)


def test_the_images_read_by_the_environments_versions(image):
    """Artifacts pass between all of them."""
    everywhere = pinned(LOCKS / "py313-gpu.txt")
    for variant in variants(image):
        of_image = pinned(LOCKS / f"image-{image}-{variant}.txt")
        shared = of_image.keys() & everywhere.keys()
        assert {"numpy", "pyarrow", "onnxruntime", "kfp", "protobuf"} <= shared
        assert {n: of_image[n] for n in shared} == {n: everywhere[n] for n in shared}


def test_a_variant_differs_from_the_others_in_what_it_is_for():
    locks = {path.stem: pinned(path) for path in LOCKS.glob("image-*.txt")}
    for_cuda = [name for name, pins in locks.items() if any(p.startswith("nvidia-") for p in pins)]
    assert sorted(for_cuda) == [f"image-{name}-cuda" for name in ("data", "pytorch", "tensorflow")]
    assert "torch" not in locks["image-pytorch-cpu"]
    assert locks["image-pytorch-cuda"]["torch"] == TORCH_VERSION
    tpu = locks["image-tensorflow-tpu"]
    assert tpu["tensorflow-tpu"].startswith("2.20.") and "tensorflow" not in tpu
