"""What a prediction is based on: activation maps, occlusion maps, and checks of these maps."""
