"""Make an image's file system without a container engine, and start programs in it.

For `make test-images` where there is no buildah, or with ENGINE=chroot: a Containerfile's steps are
run in a Debian 13 that mmdebstrap makes, by chroot, in a namespace of mounts that goes with each.

Rules: what our Containerfiles have is known, and any other instruction is refused; what is copied
from the tree leaves __pycache__ out, as .dockerignore does. A folder comes of it and no image: no
layers, no labels, no entry point. It needs root, and chroot is no wall: root in there is root here.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from pathlib import Path

import building
from dockerfile_parse import DockerfileParser
from dockerfile_parse.util import WordSplitter

from components.core.errors import PlatformError, SettingsError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OF_CONFIGURATION = ("LABEL", "ENTRYPOINT")
"""What says nothing of the files."""
NETWORK = tuple(f"{path}:{path}:ro" for path in ("/etc/resolv.conf", "/etc/hosts"))


@dataclass
class Stage:
    """A stage of a build: its files, and what its next step is run with."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    arguments: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    folder: str = "/"

    def words(self, text: str) -> list[str]:
        """Return the words of an instruction, its variables put in."""
        return list(WordSplitter(text, args=self.arguments, envs=self.environment).split())


@contextmanager
def built(image: str, variant: str) -> Iterator[Callable[..., str]]:
    """Make an image's files; give what runs a program in them as its user: see `inside`."""
    recipe = building.recipe_of(image, variant)
    building.require("mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="tandem-root-", dir="/var/tmp") as place:
        base = Path(place) / "base"
        building.bootstrap(base)
        told = building.arguments(variant, building.MADE_BASE)
        seen = (*NETWORK, *building.volumes(variant))
        yield partial(inside, followed(recipe.read_bytes(), base, told, building.ROOT, seen))


def followed(
    recipe: bytes, base: Path, told: Mapping[str, str], tree: Path, volumes: Sequence[str] = ()
) -> Stage:
    """Follow a Containerfile; return its last stage. Stages lie beside the base."""
    stages: dict[str, Stage] = {}
    stage = before = Stage(base)
    for step in DockerfileParser(fileobj=BytesIO(recipe)).structure:
        name, value = step["instruction"], step["value"]
        if name == "FROM":
            source, *named = before.words(value)
            stage = _begun(stages.get(source, before), base.with_name(f"stage-{len(stages)}"))
            stages[named[-1] if named else ""] = stage
        elif name == "ARG":
            key, _, default = value.partition("=")
            known = {**before.arguments, **told}
            stage.arguments[key] = known.get(key, "".join(stage.words(default)))
        elif name == "ENV":
            stage.environment |= dict(word.split("=", 1) for word in stage.words(value))
        elif name == "COPY":
            _copy(stage, stage.words(value), stages, tree)
        elif name == "RUN":
            proxies = {key: text for key, text in os.environ.items() if key.endswith("_proxy")}
            variables = {**proxies, **stage.arguments}
            print(inside(stage, ["sh", "-c", value], volumes, variables), flush=True)
        elif name == "WORKDIR":
            stage.folder = value
            (stage.root / value.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "USER":
            stage.user = value
        elif name not in (*OF_CONFIGURATION, "COMMENT"):
            raise SettingsError(
                f"{name} of a Containerfile is not known without a container engine",
                remedy="install buildah, or add the instruction to infra/images/by_hand.py",
            )
    return stage


def _begun(source: Stage, root: Path) -> Stage:
    """Return a stage that begins with the files and variables of another."""
    _copy_tree(source.root, root)
    return replace(source, root=root, environment={**source.environment}, arguments={})


def _copy(stage: Stage, words: list[str], stages: Mapping[str, Stage], tree: Path) -> None:
    """Copy files into a folder, or a folder's content."""
    *sources, place = words
    target = stage.root / place.lstrip("/")
    if sources[0].startswith("--from="):
        other, folder = sources
        _copy_tree(stages[other.removeprefix("--from=")].root / folder.lstrip("/"), target)
        return
    target.mkdir(parents=True, exist_ok=True)
    for source in (tree / name for name in sources):
        if source.is_dir():
            left_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target, ignore=left_out, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a stage's files with their owners, links and devices."""
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ["cp", "--archive", "--reflink=auto", "--no-target-directory", source, target]
    subprocess.run(command, check=True)


def inside(
    stage: Stage, work: Sequence[str], volumes: Sequence[str], variables: Mapping[str, str]
) -> str:
    """Run a program as the stage's user; return what it prints."""
    root, environment = shlex.quote(str(stage.root)), {**stage.environment, **variables}
    enter = [
        *("chroot", f"--userspec={stage.user}", f"--groups={stage.user.partition(':')[2]}"),
        *(str(stage.root), "env", "--ignore-environment", f"--chdir={stage.folder}"),
        *("=".join(pair) for pair in environment.items()),
        *work,
    ]
    mounts = [f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev"]
    mounts += [line for volume in volumes for line in _mounts(stage.root, volume)]
    script = "\n".join([*mounts, f"exec {shlex.join(enter)}"])
    command = ["unshare", "--mount", "sh", "-euc", script]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if ended.returncode:
        raise PlatformError(
            f"{' '.join(work)[:200]} ended with {ended.returncode}; its message is above",
            remedy="mend the cause and run the same command again",
        )
    return ended.stdout.strip()


def _mounts(root: Path, volume: str) -> Iterator[str]:
    """Yield what mounts a volume, as buildah's --volume names it, on a place that is made."""
    outer, inner, *how = volume.split(":")
    place = root / inner.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if Path(outer).is_dir():
        place.mkdir(exist_ok=True)
    else:
        place.touch()
    yield f"mount --rbind {shlex.quote(outer)} {shlex.quote(str(place))}"
    if "ro" in how:
        yield f"mount -o remount,bind,ro {shlex.quote(str(place))}"
