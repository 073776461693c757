"""Precisions by their names in the settings, the same for both frameworks.

fp32 is float32 throughout. In bf16 and fp16 the large products are computed in 16 bits, from
weights that stay float32; fp16 has few exponents, so its loss is scaled before it is derived and
the gradients are scaled back (Micikevicius et al., Mixed Precision Training, 2018). What is
exported computes in float32 with the weights that were trained.
"""

from __future__ import annotations

INITIAL_SCALE = 2.0**16
GROWTH_STEPS = 2000
"""Steps without overflow after which the scale is doubled."""
