"""The demo: a full tour on drawn faces and one photo, and a page that shows it."""
