"""The constants of Adam (Kingma and Ba 2015, arXiv:1412.6980) that both trainers use.

The step is the paper's own: epsilon is added to the square root of the bias-corrected second
moment. TensorFlow's form adds it before the correction; its trainer corrects for that.
"""

BETA_1 = 0.9
BETA_2 = 0.999
EPSILON = 1e-8
