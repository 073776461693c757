"""The steps of a Containerfile without a container engine, but for those that run programs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from components.core.errors import SettingsError

IMAGES = Path(__file__).resolve().parents[2] / "infra" / "images"
RECIPE = """\
# A comment.
ARG BASE=docker.io/library/debian:13-slim
FROM ${BASE} AS first
ARG VARIANT=cpu
ARG VERSION=none
COPY one-${VARIANT}.txt two.txt /opt/
COPY folder /opt/deep/folder
ENV PATH=/opt/bin:$PATH \\
    VERSION_TOLD=${VERSION}
USER 65532:65533
FROM first AS second
COPY two.txt /only-second/
FROM first
ARG VARIANT
COPY --from=second /only-second /copied
COPY --from=second /opt/deep /copied
LABEL of="${VARIANT}"
WORKDIR /home/new
ENTRYPOINT ["tandem"]
"""


@pytest.fixture
def by_hand(monkeypatch):
    monkeypatch.syspath_prepend(str(IMAGES))
    import by_hand

    yield by_hand
    for name in ("by_hand", "building"):
        del sys.modules[name]


@pytest.fixture
def tree(tmp_path):
    """A tree to build from, beside a base."""
    found = tmp_path / "tree"
    (found / "folder" / "__pycache__").mkdir(parents=True)
    for name in ("one-cpu.txt", "one-cuda.txt", "two.txt", "folder/a.py", "folder/__pycache__/a"):
        (found / name).write_text(name)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "of-the-base").touch()
    return found


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_stages_have_the_files_and_variables_that_a_containerfile_gives_them(by_hand, tree):
    told = {"BASE": "localhost/debian", "VARIANT": "cuda", "UNASKED": "x"}
    last = by_hand.followed(RECIPE.encode(), tree.parent / "base", told, tree)
    of_first = ["of-the-base", "opt/deep/folder/a.py", "opt/one-cuda.txt", "opt/two.txt"]
    copied = ["copied/folder/a.py", "copied/two.txt"]
    assert files(last.root) == [*copied, *of_first]
    assert files(tree.parent / "base") == ["of-the-base"]
    assert last.environment == {"PATH": f"/opt/bin:{by_hand.PATH}", "VERSION_TOLD": "none"}
    assert last.arguments == {"VARIANT": "cuda"}
    assert (last.user, last.folder) == ("65532:65533", "/home/new")
    assert (last.root / "home" / "new").is_dir()


@pytest.mark.parametrize("step", ["HEALTHCHECK CMD true", "ADD x /", 'SHELL ["sh"]'])
def test_an_instruction_that_is_not_known_is_refused(by_hand, tree, step):
    recipe = f"FROM x\n{step}\n".encode()
    with pytest.raises(SettingsError, match=f"{step.split()[0]} of a Containerfile is not known"):
        by_hand.followed(recipe, tree.parent / "base", {}, tree)


def test_our_containerfiles_have_no_other(by_hand):
    known = {"ARG", "FROM", "COPY", "ENV", "RUN", "WORKDIR", "USER", *by_hand.OF_CONFIGURATION}
    for path in IMAGES.glob("*/Containerfile"):
        text = path.read_text().replace("\\\n", " ")
        assert set(re.findall(r"^([A-Z]+) ", text, re.MULTILINE)) <= known


def test_a_release_has_a_base_by_digest(by_hand, monkeypatch):
    import building

    monkeypatch.setenv("RELEASE", "yes")
    monkeypatch.setenv("PATH", "")  # so that nothing is built in any case
    for base in ("", "docker.io/library/debian:13-slim", "debian@sha256:12"):
        monkeypatch.setenv("BASE", base)
        with pytest.raises(SettingsError, match="a base of a digest") as raised:
            building.build("registry")
        assert "@sha256:DIGEST" in raised.value.remedy
    building.require_digest(f"docker.io/library/debian:13-slim@sha256:{'0' * 64}")
