"""Adam (Kingma and Ba 2015, arXiv:1412.6980) as both trainers take its steps.

The step is the paper's own: epsilon is added to the square root of the bias-corrected second
moment. TensorFlow's form adds it before the correction; its trainer corrects for that.

Clipping: all gradients of a step are one vector; where its Euclidean norm is more than clip_norm,
each is multiplied by clip_norm / norm. Weight decay is decoupled (Loshchilov and Hutter 2019,
arXiv:1711.05101): before the step every trained weight is multiplied by 1 - rate x weight_decay.
"""

BETA_1 = 0.9
BETA_2 = 0.999
EPSILON = 1e-8
