"""A real browser for the tests of pages: the system's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDE, NARROW, HEIGHT = 1280, 390, 900
PAPER = 718  # A4 at 96 dots an inch, less a margin of a centimetre on both sides


@dataclass
class Visit:
    """A page that was opened: the browser's view of it, and what it asked for and complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def answer(self, script: str) -> Any:
        return self.page.evaluate(script)


@contextmanager
def running() -> Iterator[Browser]:
    """Start the browser; stop it after."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root, as in most containers, Chromium has no sandbox; it opens our own pages alone.
        browser = playwright.chromium.launch(executable_path=_program(), chromium_sandbox=False)
        try:
            yield browser
        finally:
            browser.close()


def _program() -> str:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.fail("chromium is not installed: `apt-get install chromium`")
    return program


@contextmanager
def visit(
    browser: Browser,
    file: Path,
    *,
    width: int = WIDE,
    dark: bool = False,
    scripts: bool = True,
    media: str = "screen",
) -> Iterator[Visit]:
    """Open a file in a window of its own."""
    with browser.new_context(
        viewport={"width": width, "height": HEIGHT},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
    ) as context:
        seen = Visit(context.new_page())
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.on("console", lambda message: seen.complaints.append(message.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.emulate_media(media=media)
        seen.page.goto(file.as_uri())
        yield seen
