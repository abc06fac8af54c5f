"""The web page and JSON API of `serve`; needs the packages of the extra "serve"."""
