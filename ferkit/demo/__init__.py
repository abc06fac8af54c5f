"""`demo`: everything once, on drawn faces and one photo, and a page that shows it."""
