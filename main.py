"""Facial expression recognition with Deep-Emotion and DAN: python main.py --help."""

import sys

from ferkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
