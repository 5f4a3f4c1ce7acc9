"""An Ollama server on this machine: found, and suggested in an error, but never chosen."""

from __future__ import annotations

import json
import os
from typing import Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

PORT: Final = 11434
PATIENCE: Final = 0.3  # seconds


def address(host: str | None = None) -> str:
    """The server's URL as OLLAMA_HOST gives it: a host, host:port or URL; 0.0.0.0 is this machine."""
    host = (os.environ.get("OLLAMA_HOST", "") if host is None else host).strip()
    try:
        parts = urlsplit(host if "://" in host else f"http://{host}")
    except ValueError:  # a bracket that is not closed
        parts = urlsplit("")
    name = parts.hostname or "127.0.0.1"
    if name in ("0.0.0.0", "::"):
        name = "127.0.0.1"
    if ":" in name:
        name = f"[{name}]"
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80 if "://" in host else PORT)
    except ValueError:
        port = PORT
    return f"{parts.scheme or 'http'}://{name}:{port}"


def suggestion() -> str:
    """How to use the server that answers here, as the rest of a sentence; what Ollama needs where none does."""
    where = address()
    models = _models(where)
    if models:
        return f"; Ollama answers here:\n    --model openai:{models[0]} --base-url {where}/v1  (it has {', '.join(models[:5])})"
    if models is not None:
        return f"; Ollama answers at {where} but has no model yet (`ollama pull MODEL`)"
    if os.environ.get("OLLAMA_HOST"):
        return f"; OLLAMA_HOST names {where}, where nothing answers"
    return f"; Ollama on this machine, for one, serves {where}/v1 and needs no key"


def _models(where: str) -> list[str] | None:
    """The models of the server, None where none answers."""
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{where}/api/tags", timeout=PATIENCE) as answer:
            found = json.load(answer)
        return [name for model in found["models"] if isinstance(name := model["name"], str)]
    except (URLError, OSError, ValueError, KeyError, TypeError):
        return None
