"""Import TensorFlow with its Keras as where scikit-learn, matplotlib and IPython are not installed.

Keras offers wrappers and pictures for them, and imports them where it finds them: three tenths of
the time that TensorFlow's import takes. Import this module before TensorFlow; afterwards the three
can be imported as ever, and where one was imported before it stays.
"""

from __future__ import annotations

from components.core.absent import absent

with absent("sklearn", "matplotlib", "IPython"):
    import keras  # noqa: F401 - tensorflow_transform tells TensorFlow to leave it out
    import tensorflow  # noqa: F401 - both for those who import them next
