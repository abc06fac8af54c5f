"""The endings of image files that set-up and `predict` read, and what to install for others."""

# Set-up of FER2013 as class folders reads these; other datasets and photos have more.
COMMON_TYPES = (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp")
DATASET_TYPES = (*COMMON_TYPES, ".tif", ".tiff")  # JAFFE and AffectNet have TIFF files
PHOTO_TYPES = (*DATASET_TYPES, ".gif", ".pgm", ".ppm", ".jp2", ".avif")

# Pictures in formats that set-up does not read: what to do about them.
_CONVERT = "convert them to .png"
OTHER_PICTURES = {
    **dict.fromkeys(
        (".heic", ".heif"), "convert them to .jpg: pip install pillow-heif, or heif-convert"
    ),
    **dict.fromkeys(
        (".gif", ".pgm", ".ppm", ".pbm", ".pnm", ".jp2", ".avif", ".jxl", ".tga", ".ico", ".svg"),
        _CONVERT,
    ),
    **dict.fromkeys((".psd", ".raw", ".dng", ".cr2", ".nef", ".arw", ".eps"), _CONVERT),
    **dict.fromkeys((".tif", ".tiff"), _CONVERT),  # FER2013 as class folders
}
