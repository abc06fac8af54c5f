"""The endings of image files that set-up and `predict` read, and the limits of one image."""

DATASET_TYPES = (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff")
# `predict` reads these too, and any ending if the user names the file.
PHOTO_TYPES = (*DATASET_TYPES, ".gif", ".pgm", ".ppm", ".jp2", ".avif")
MAX_PIXELS = 120_000_000  # larger images are refused before they are decoded: 360 MB of RGB
MAX_BYTES = 500_000_000  # of a file

# Pictures that set-up does not read, and what to do about them.
HEIC_ADVICE = "convert them to .jpg, for example with pip install pillow-heif"
OTHER_PICTURES = {
    **dict.fromkeys((".heic", ".heif"), HEIC_ADVICE),
    **dict.fromkeys(
        (".gif", ".pgm", ".ppm", ".pnm", ".jp2", ".avif", ".jxl", ".tga", ".eps", ".svg", ".psd"),
        "convert them to .png",
    ),
}
