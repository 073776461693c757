"""The metrics that stock TFMA computes where the settings ask for them.

They are the classes of tensorflow_model_analysis.metrics that make a value of a label and a
prediction alone. What stock TFMA computes has no interval.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

StockName = Literal[
    "AUC", "AUCPrecisionRecall", "BalancedAccuracy", "BinaryAccuracy", "BinaryCrossEntropy",
    "Calibration", "CoefficientOfDiscrimination", "ConfusionMatrixAtThresholds",
    "DiagnosticOddsRatio", "ExactMatch", "ExampleCount", "F1Score", "FallOut",
    "FalseDiscoveryRate", "FalseNegatives", "FalseOmissionRate", "FalsePositives",
    "FowlkesMallowsIndex", "Informedness", "Markedness", "MatthewsCorrelationCoefficient",
    "MaxRecall", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanLabel", "MeanPrediction",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "MissRate",
    "MultiClassConfusionMatrixAtThresholds", "NegativeLikelihoodRatio", "NegativePredictiveValue",
    "PositiveLikelihoodRatio", "Precision", "PrecisionAtRecall", "Prevalence",
    "PrevalenceThreshold", "Recall", "RecallAtPrecision", "RelativeCoefficientOfDiscrimination",
    "SensitivityAtSpecificity", "Specificity", "SpecificityAtSensitivity",
    "SquaredPearsonCorrelation", "ThreatScore", "TrueNegatives", "TruePositives",
]  # fmt: skip
STOCK_NAMES: tuple[str, ...] = get_args(StockName)


def stock_only(metric: str, ours: Sequence[str]) -> bool:
    """Say whether a name is that of a metric which stock TFMA alone computes."""
    names = {snake: name for name in STOCK_NAMES if (snake := _snake(name)) not in ours}
    return metric in names or metric in names.values()


def _snake(name: str) -> str:
    """Return TFMA's name of a class's result: SquaredPearsonCorrelation is squared_pearson_..."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
