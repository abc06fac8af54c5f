"""The demo: a full tour on drawn faces and one photo, and a page that shows it."""

# Here, because the command line needs them and must not import the steps for --help.
MODEL, RECIPE = "deep_emotion", "input_warp"
