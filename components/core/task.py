"""What is predicted: a class of two, a class of several, or a number.

For a model's prediction [batch] or [batch, classes] and a label [batch]:
    binary       the probability of the label 1; label 0 or 1
    multi_class  a probability for each class, [batch, classes]; label the class's number, from 0
    regression   the value; label a number
"""

from __future__ import annotations

from typing import Literal

Task = Literal["binary", "multi_class", "regression"]
