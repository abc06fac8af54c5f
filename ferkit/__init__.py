"""What both models share: recipes, input pipeline, training, evaluation, reports and the command line."""
