"""Notes as commits of a git repository, through the git program; on by default.

Rules: the repository lies below the home, where it proves little until it is elsewhere too: with a
remote each note is pushed at once, and what the remote has is compared as well. A history that the
remote refuses is never forced on it. Nothing of the user's git configuration takes part.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.audit.anchors.anchor import Kept, note_path
from components.core.errors import PlatformError

_BRANCH = "checkpoints"
_REMOTE = "refs/remotes/anchor/checkpoints"
_SECONDS = 60
_WHO = ["-c", "user.name=tandem", "-c", "user.email=tandem@tandem.invalid"]
_PLAIN = [
    *("-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false"),
]


@dataclass(frozen=True)
class GitAnchor:
    """A repository, and where it is pushed to, if anywhere."""

    folder: Path
    remote: str | None = None

    @property
    def name(self) -> str:
        """Which anchor this is."""
        return "git"

    def keep(self, note: str) -> str:
        """Commit a note, push it, and return the commit's id."""
        self._make()
        path = self.folder / note_path(note)
        if not path.exists() or path.read_text("utf-8") != note:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(note, "utf-8")
        self._git("add", "--", note_path(note))
        if self._git("status", "--porcelain", "--", note_path(note)):
            self._git(*_WHO, "commit", "--quiet", "--message", note_path(note))
        commit = self._git("rev-parse", "HEAD").strip()
        if self.remote:
            self._git("push", "--quiet", self.remote, f"HEAD:refs/heads/{_BRANCH}")
        return commit

    def kept(self) -> Iterator[Kept]:
        """Yield the notes of every commit here, and of every one at the remote."""
        if (self.folder / ".git").exists():
            yield from self._notes(_BRANCH)
        if self.remote:
            self._make()
            self._git("fetch", "--quiet", self.remote, f"+refs/heads/{_BRANCH}:{_REMOTE}")
            yield from self._notes(_REMOTE)

    def _make(self) -> None:
        """Make the repository unless it is there."""
        if not (self.folder / ".git").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._git("init", "--quiet", f"--initial-branch={_BRANCH}")

    def _notes(self, branch: str) -> Iterator[Kept]:
        """Yield each version of each file, so that a note replaced later is still compared."""
        lines = self._git(
            "log", "--format=", "--raw", "--no-abbrev", "--no-renames", "-z", branch
        ).split("\0")
        for change, path in zip(lines[::2], lines[1::2], strict=False):
            blob = change.split(" ")[3]
            if set(blob) != {"0"}:
                yield Kept(f"git {blob[:12]} {path}", self._git("cat-file", "blob", blob))

    def _git(self, *arguments: str) -> str:
        environment = {key: value for key, value in os.environ.items() if key[:4] != "GIT_"}
        environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        try:
            done = subprocess.run(
                ["git", *_PLAIN, *arguments],  # noqa: S607 - the user's git, wherever it lies
                cwd=self.folder,
                capture_output=True,
                timeout=_SECONDS,
                env=environment,
                check=True,
            )
            return done.stdout.decode("utf-8")
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()
            raise _failed(said[-1] if said else f"exit {error.returncode}") from error
        except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
            raise _failed(str(error)) from error


def _failed(why: str) -> PlatformError:
    return PlatformError(
        f"the git anchor failed: {why}",
        remedy="see that git is installed and that the remote can be reached, or turn it off",
    )
