"""Apply the policy to the evaluation and explain the decision."""
