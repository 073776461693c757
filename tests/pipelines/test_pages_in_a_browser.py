"""The run's report, the page of its data and the auditor's in a real browser: seen, read, printed.

WCAG 2.2 AA is what they are held against: axe-core's rules, and contrast once more by our own
script, because axe leaves out texts inside pictures. Each check is seen to find what it looks for
in a page that was damaged for it.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chromium import NARROW, PAPER, WIDE, Visit, running, visit
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prepared_run import run_tandem

from components.approvals.trail import Trail
from components.audit.acts import BUNDLE, EVALUATION
from components.audit.approval import Approval
from components.audit.keys import SigningKey
from components.audit.notary import open_notary
from components.audit.predicates import APPROVE
from components.core.artifacts import write_json
from pipelines.home import Home
from pipelines.report import write_report
from pipelines.runners.results import RunState, TaskResult, TaskState
from pipelines.runs import RECORDS_FILE, read_run
from pipelines.start import ARGUMENTS_FILE, Start

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow
PageOf = Callable[[str], Path]
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
PAGES = (
    "report",
    "report of a failed run",
    "statistics",
    "audit report",
    "audit report of a log with findings",
)
LONG = "a_name_that_does_not_end_" * 12
LEAST_BYTES, LEAST_HEIGHT, LEAST_TEXTS = 20_000, 1_000, 50
LEVELS = "() => [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))"
UNNAMED_PICTURES = """() => [...document.querySelectorAll('svg, img')].filter(picture => {
  const labelled = document.getElementById(picture.getAttribute('aria-labelledby') || '');
  const name = picture.getAttribute('alt') || picture.getAttribute('aria-label');
  const named = picture.getAttribute('role') === 'img' && (name || labelled?.textContent)?.trim();
  return !(named || picture.getAttribute('aria-hidden') === 'true');
}).map(picture => picture.outerHTML.slice(0, 120))"""
WIDTHS = """() => {
  const {scrollWidth, clientWidth} = document.documentElement;
  return {scrollWidth, clientWidth};
}"""
CUT_OFF = """() => [...document.querySelectorAll('body *:not(title, defs, defs *)')].filter(
  element => {
  const inside = document.createRange();
  inside.selectNodeContents(element);
  const isBeside = [element, inside].some(it => it.getBoundingClientRect().right > innerWidth + 1);
  const isClipped = getComputedStyle(element).overflowX !== 'visible' &&
    element.scrollWidth > element.clientWidth;
  return isBeside || isClipped || !element.checkVisibility();
}).map(element => element.outerHTML.slice(0, 120))"""
COLOURS = """() => [document.documentElement, document.body].map(element =>
  getComputedStyle(element).backgroundColor)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as found:
        yield found


@pytest.fixture
def page_of(request: pytest.FixtureRequest, record_run: Callable[..., Path]) -> PageOf:
    """Return the file of a page by its name; those of a real run wait for that run."""

    def find(name: str) -> Path:
        if name == "report of a failed run":
            return failed(record_run)
        small_run = request.getfixturevalue("small_run")
        if name.startswith("audit report"):
            tmp_path: Path = request.getfixturevalue("tmp_path")
            return audited(small_run.home, tmp_path, damaged=name.endswith("findings"))
        if name == "statistics":
            return small_run.output("validate_examples", "statistics") / "statistics.html"
        return Path(small_run.folder / "report.html")

    return find


def failed(record_run: Callable[..., Path]) -> Path:
    """Write the report of a run with everything that is shown in red, and with long names."""
    error = {"kind": "GateError", "message": f"{LONG} is too far", "remedy": f"look at {LONG}"}
    results = {
        "seal-run": TaskResult(TaskState.FAILED, error=error, log=f"logs/{LONG}"),
        "train-pytorch": TaskResult(TaskState.SKIPPED, reason=f"{LONG} failed"),
    }
    distances = {LONG: [0.02, 0.4], "origin": [0.5, None]}
    drift = {"spans": ["2013-01", "2013-02", "2013-03"], "distances": distances}
    measured = ("validate-examples", "statistics", "drift.json")

    def change(documents: dict[Any, Any]) -> None:
        documents[measured] = drift
        beside_a_champion(documents["evaluate-models", "evaluation", "evaluation.json"])

    folder = record_run(change, results, RunState.FAILED)
    gates = {"champion_gates": [{"metric": None, "slice": "origin=*"}]}
    write_json(folder / ARGUMENTS_FILE, {"policy": gates})
    Start({}, f"/{LONG}", "settings.yaml", (f"name={LONG}",)).write(folder)
    (folder / "artifacts" / "validate-examples" / "statistics" / "statistics.html").touch()
    gate = {
        "name": f"drift:{LONG}",
        "metric": "l_infinity_distance",
        "value": 0.4,
        "threshold": 0.1,
    }
    gate |= {"operator": "<=", "slice": "2013-03 against 2013-02", "passed": False}
    view = {"index": 3, "event": "FAIL", "stage": "validate_examples", "attempt": 1, "time": "t"}
    view |= {"record": "6" * 64, "record_id": "r", "gates": [gate]}
    write_json(folder / RECORDS_FILE, {"records": [view]})
    return write_report(read_run(folder), Home(folder.parents[1]))


def audited(home: Path, folder: Path, *, damaged: bool) -> Path:
    """Write the audit report of a real version that somebody with long names signed for.

    Damaged, the log has a stage that was started and never closed.
    """
    shutil.copytree(home / "audit", folder / "home" / "audit")
    version = Trail(folder / "home").version("flights-late", "1")
    now = datetime.now(UTC)
    signed = Approval(
        model=version.model,
        version=version.version,
        evaluation_sha256=version.inputs[EVALUATION].sha256,
        bundle_sha256=version.inputs[BUNDLE].sha256,
        name=LONG[:200],
        meaning="approval",
        signed=now,
        until=now.date(),
        reason=LONG,
    ).sign(SigningKey(Ed25519PrivateKey.generate()))
    claimed = now.isoformat(timespec="milliseconds")
    with open_notary(folder / "home") as notary:
        draft = version.draft(APPROVE, LONG[:200], signed, claimed)
        notary.submit(draft)
        if damaged:
            start = {"event": "START", "stage": "evaluate_models", "inputs": [], "facts": {}}
            notary.submit(draft | start)
    page = folder / "page.html"
    words = ("audit", "report", "1", "--template", "part11", "-o", str(page))
    code, _ = run_tandem(*words, "--home", str(folder / "home"))
    assert code == (4 if damaged else 0)
    return page


def beside_a_champion(evaluation: dict[str, Any]) -> None:
    """Make an evaluation one of numbers with a champion, its slices compared and its bins."""
    error = {"value": 1234567.125, "lower": 1234000.5, "upper": 1235000.5}
    apart = {"mean_squared_error_difference": {"value": -0.5, "lower": -1.5, "upper": 0.5}}
    bins = [[-1234567.5, -1234000.5, 40], [0.0, 10.0, 40], [7654321.5, 7000000.5, 40]]
    slices = {
        key: {"n": 500, "mean_squared_error": error, "over_champion": apart}
        for key in ("overall", "origin=JFK", f"origin={LONG}")
    }
    model = {"bundle_sha256": "3" * 64, "slices": slices, "curves": {"calibration": bins}}
    names = ("pytorch", "tensorflow", "champion")
    evaluation |= {"task": "regression", "models": dict.fromkeys(names, model)}
    evaluation["comparison"] = {"champion": dict.fromkeys(names, apart)}


def png_size(picture: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def too_wide(seen: Visit) -> list[str]:
    """Return how much wider than its window a page is."""
    found = seen.answer(WIDTHS)
    return [f"{found}"] if found["scrollWidth"] > found["clientWidth"] else []


def too_pale(seen: Visit) -> list[str]:
    return seen.answer(CONTRAST)["findings"]


def axe(seen: Visit) -> list[str]:
    """Return what axe-core finds: each rule that is broken, and where."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(seen.page).response["violations"]
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


def headings(seen: Visit) -> list[str]:
    """Return what is wrong with a page's headings."""
    levels = seen.answer(LEVELS)
    skipped = [f"h{b} after h{a}" for a, b in pairwise(levels) if b > a + 1]
    return skipped + ([] if levels.count(1) == 1 and levels[0] == 1 else [f"levels {levels}"])


def unnamed_pictures(seen: Visit) -> list[str]:
    return seen.answer(UNNAMED_PICTURES)


def cut_off(seen: Visit) -> list[str]:
    """Return what of a page is beside the paper, or closed."""
    return seen.answer(CUT_OFF)


def asked_for(seen: Visit) -> list[str]:
    """Return what a page asked for beyond itself, and what the browser complained of."""
    return seen.requests[1:] + seen.complaints


@pytest.mark.parametrize(("width", "dark"), [(NARROW, True), (WIDE, False)])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_window_and_can_be_read_and_heard(
    browser: Browser,
    page_of: PageOf,
    tmp_path: Path,
    name: str,
    width: int,
    dark: bool,
) -> None:
    with visit(browser, page_of(name), width=width, dark=dark) as seen:
        for check in (too_wide, too_pale, headings, unnamed_pictures, axe, asked_for):
            assert check(seen) == [], check.__name__
        assert seen.answer(CONTRAST)["looked"] > LEAST_TEXTS
        picture = seen.page.screenshot(path=tmp_path / f"{name} {width}.png", full_page=True)
    assert png_size(picture)[0] == width
    assert png_size(picture)[1] > LEAST_HEIGHT
    assert len(picture) > LEAST_BYTES


@pytest.mark.parametrize(("width", "dark"), [(NARROW, False), (WIDE, True)])
@pytest.mark.parametrize("name", PAGES)
def test_every_text_stands_out_in_the_other_scheme_too(
    browser: Browser, page_of: PageOf, name: str, width: int, dark: bool
) -> None:
    with visit(browser, page_of(name), width=width, dark=dark) as seen:
        assert too_pale(seen) == []


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_the_same_text_is_read(
    browser: Browser, page_of: PageOf, name: str
) -> None:
    file, texts = page_of(name), []
    for scripts in (True, False):
        with visit(browser, file, scripts=scripts) as seen:
            texts.append(seen.page.inner_text("body"))
    assert texts[0] == texts[1]
    assert len(texts[0]) > LEAST_HEIGHT


@pytest.mark.parametrize("name", PAGES)
def test_on_paper_nothing_is_cut_off_or_closed_and_the_ground_is_white(
    browser: Browser, page_of: PageOf, name: str
) -> None:
    with visit(browser, page_of(name), width=PAPER, dark=True, media="print") as seen:
        assert cut_off(seen) == []
        assert set(seen.answer(COLOURS)) <= {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
        assert too_pale(seen) == []
        for link in seen.page.query_selector_all("a[href]:not([href^='#'])"):
            shown = link.evaluate("link => getComputedStyle(link, '::after').content")
            assert link.get_attribute("href") in shown


GOOD = """<!doctype html><html lang="en"><head><title>A page</title>
<style>body { color: #000; background: #fff; }</style></head><body><main><h1>One</h1><h2>Two</h2>
<p>Some text.</p><svg role="img" aria-label="a box" width="90" height="30">
<rect width="90" height="30" fill="#fff"/><text y="20">inside</text></svg></main></body></html>"""


def test_the_checks_find_nothing_in_a_page_without_faults(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(GOOD)
    with visit(browser, file) as seen:
        for check in (too_wide, too_pale, headings, unnamed_pictures, axe, cut_off, asked_for):
            assert check(seen) == [], check.__name__


@pytest.mark.parametrize(
    ("good", "damaged", "check", "found"),
    [
        ("<p>", '<p style="width: 2000px">', too_wide, "'scrollWidth': 2008"),
        ("color: #000", "color: #777", too_pale, "4.48 < 4.5: Some text."),
        ("<p>", '<p style="opacity: .4">', too_pale, "Some text."),
        ('fill="#fff"', 'fill="#666"', too_pale, "3.66 < 4.5: inside"),
        ('fill="#fff"', 'fill="#000" fill-opacity="0.6"', too_pale, "inside"),
        ("<h2>", '<h2 style="color: #999; font-size: 24px">', too_pale, "2.85 < 3: Two"),
        ("<h2>Two</h2>", "<h3>Three</h3>", headings, "h3 after h1"),
        ("<h2>Two</h2>", "<h1>Two</h1>", headings, "levels [1, 1]"),
        (' aria-label="a box"', "", unnamed_pictures, "<svg"),
        (' lang="en"', "", axe, "html-has-lang"),
        ("<p>", '<p style="color: #777">', axe, "color-contrast"),
        (
            "<p>Some text.",
            '<p tabindex="-1" style="overflow: scroll; height: 9px">Some<br>text',
            axe,
            "scrollable-region-focusable",
        ),
        ("<p>", '<p style="width: 2000px">', cut_off, "<p style"),
        ("<p>Some text.", f'<p style="overflow: hidden; width: 50px">{LONG}', cut_off, "<p style"),
        ("<p>Some text.</p>", "<details>Some text.<p>closed</p></details>", cut_off, "<p>closed"),
        ("<p>", '<img alt="x" src="gone.png"><p>', asked_for, "gone.png"),
        ("<p>", "<script>console.error('broken')</script><p>", asked_for, "broken"),
        ("<p>", "<script>nothing.at.all</script><p>", asked_for, "nothing is not defined"),
    ],
)
def test_a_fault_is_found(
    browser: Browser,
    tmp_path: Path,
    good: str,
    damaged: str,
    check: Callable[[Visit], list[str]],
    found: str,
) -> None:
    file = tmp_path / "page.html"
    assert good in GOOD
    file.write_text(GOOD.replace(good, damaged))
    with visit(browser, file) as seen:
        assert any(found in line for line in check(seen)), check(seen)
