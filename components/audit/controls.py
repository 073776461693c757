"""Which requirement each stage's record serves, and how long records are kept.

The names are those of the texts: EU AI Act (Regulation 2024/1689), GDPR, ISO/IEC 42001, NIST AI
RMF, US SR 26-2, 21 CFR Part 11. A record names them so that an auditor can go from a requirement
to its evidence; naming one is not a claim that it is met.
"""

from __future__ import annotations

import os
from datetime import MAXYEAR, datetime

from components.core.errors import SettingsError

RETAIN_VARIABLE = "TANDEM_AUDIT_RETAIN_YEARS"
RETAIN_YEARS = 10
"""EU AI Act Art. 18: ten years after the system was placed on the market."""
_MOST_YEARS = 100

_EVERY_RECORD = ("21-CFR-11.10(e)", "EU-AI-Act-Art.18", "GDPR-Art.30")
_TRAINING = ("EU-AI-Act-AnnexIV.2",)
_APPROVAL = ("21-CFR-11.50", "21-CFR-11.70", "EU-AI-Act-AnnexIV.3", "NIST-MANAGE-1.1", "SR-26-2")
_CHANGE = ("NIST-MANAGE-1.1", "SR-26-2")
_BY_STAGE = {
    "ingest_examples": ("EU-AI-Act-Art.10(2)", "ISO-42001-A.7"),
    "validate_examples": ("EU-AI-Act-Art.10(2)", "EU-AI-Act-AnnexIV.2(g)", "ISO-42001-A.7"),
    "transform_features": _TRAINING,
    "train_pytorch": _TRAINING,
    "train_tensorflow": _TRAINING,
    "import_model": _TRAINING,
    "import_execution": _TRAINING,
    "evaluate_models": (
        "EU-AI-Act-AnnexIV.2(g)",
        "EU-AI-Act-AnnexIV.3",
        "NIST-MEASURE-2.1",
        "NIST-MEASURE-2.11",
    ),
    "measure_models": ("EU-AI-Act-AnnexIV.3", "NIST-MEASURE-2.1"),
    "decide_release": ("NIST-MANAGE-1.1", "SR-26-2"),
    "register_models": ("EU-AI-Act-AnnexIV.1", "SR-26-2"),
    "approve_model": _APPROVAL,
    "promote_model": _CHANGE,
    "roll_back_model": _CHANGE,
    "archive_model": _CHANGE,
    "withdraw_model": _CHANGE,
}


def controls_of(stage: str) -> list[str]:
    """Return the requirements that a stage's records serve."""
    return sorted((*_EVERY_RECORD, *_BY_STAGE.get(stage, ())))


def retain_until(moment: datetime) -> str:
    """Return the first day, as YYYY-MM-DD, on which a record of that moment may be given up.

    Raises SettingsError where the notary's TANDEM_AUDIT_RETAIN_YEARS is no number of years.
    """
    year = min(moment.year + _retain_years(), MAXYEAR)
    leap_day = (moment.month, moment.day) == (2, 29)
    day = moment.replace(year=year, day=28) if leap_day else moment.replace(year=year)
    return day.date().isoformat()


def _retain_years() -> int:
    said = os.environ.get(RETAIN_VARIABLE) or str(RETAIN_YEARS)
    if not (said.isascii() and said.isdigit() and 1 <= int(said) <= _MOST_YEARS):
        raise SettingsError(
            f"{RETAIN_VARIABLE} is {said}",
            remedy=f"give whole years, 1 to {_MOST_YEARS}, or unset it for {RETAIN_YEARS}",
        )
    return int(said)
