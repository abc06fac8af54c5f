"""Presets: models by name, from a folder, the Hugging Face Hub or Kaggle.

The model packages take their ``from_preset``, ``save_to_preset`` and ``upload_preset`` from here. A
preset is a folder in keras-hub's layout, see ``layout``. The package imports Keras in ``model``
only, so that programs without Keras can use the rest.
"""
