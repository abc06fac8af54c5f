"""serve: the recognizer behind a web page and a JSON API; needs the packages of the extra "serve"."""
