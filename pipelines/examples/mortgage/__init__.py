"""A small use case with sensitive attributes: which mortgage applications in Boston are denied."""
