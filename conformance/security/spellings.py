"""The ways in which published exploits have written "that file over there"."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

UP = "../" * 24


def spellings(absolute: str) -> dict[str, str]:
    """Spellings of the file `absolute` (which starts with a slash), as they stand in a URL.

    Each is percent-encoded where a request line needs it, so that a query takes it as it is and a JSON field takes it
    decoded once.
    """
    inner = absolute.lstrip("/")
    away = UP + inner
    return {
        "dots": away,
        "dots after a folder": "folder/" + away,
        "dots after dot": "./" + away,
        "dots at the end": "folder/../..",
        "encoded dots": away.replace("..", "%2e%2e"),
        "half-encoded dots": away.replace("..", ".%2E"),
        "encoded slashes": away.replace("/", "%2f"),
        "all encoded": away.replace("..", "%2e%2e").replace("/", "%2f"),
        "encoded twice": away.replace("..", "%252e%252e").replace("/", "%252f"),
        "slashes encoded twice": away.replace("/", "%252F"),
        "encoded three times": away.replace("..", "%25252e%25252e"),
        "encoded five times": away.replace("..", "%252525252e%252525252e"),
        "over-long UTF-8": away.replace("..", "%c0%ae%c0%ae"),
        "over-long slash": away.replace("/", "%c0%af"),
        "full-width": quote(away.replace("..", "．．").replace("/", "／")),
        "two-dot leader": quote(away.replace("..", "‥")),
        "four dots": away.replace("../", "....//"),
        "dots and semicolon": away.replace("../", "..;/"),
        "dots and encoded semicolon": away.replace("../", "..%3b/"),
        "semicolon first": ";/" + away,
        "parameter": "a;b=" + away,
        "dots and blank": away.replace("../", "..%20/"),
        "dots and tab": away.replace("../", "..%09/"),
        "dots and line end": away.replace("../", "..%0a/"),
        "backslashes": away.replace("/", "%5c"),
        "backslashes encoded twice": away.replace("/", "%255c"),
        "mixed slashes": away.replace("../", "..%5c/"),
        "backslash first": "%5c..%5c..%5c" + away,
        "NUL at the end": away + "%00.txt",
        "NUL after dots": away.replace("..", "..%00"),
        "NUL before dots": "a%00/" + away,
        "absolute": absolute,
        "absolute, two slashes": "/" + absolute,
        "absolute, three slashes": "//" + absolute,
        "absolute, encoded": "%2f" + inner,
        "absolute, encoded twice": "%252f" + inner,
        "absolute after dot": "." + "/" + absolute,
        "file URI": "file://" + absolute,
        "file URI, one slash": "file:" + absolute,
        "file URI, host": "file://localhost" + absolute,
        "file URI, encoded": "file:%2f%2f" + absolute.replace("/", "%2f"),
        "file URI, capitals": "FILE://" + absolute,
        "file URI, relative": "file:" + away,
        "drive": "C:/" + away,
        "drive, backslash": "C:%5c" + inner.replace("/", "%5c"),
        "drive, relative": "C:" + inner,
        "UNC": "%5c%5chost%5cshare%5c" + inner,
        "fragment": "a%23/" + away,
        "fragment first": "%23/" + away,
        "fragment encoded twice": "a%2523/" + away,
        "question mark": "a%3f/" + away,
        "question mark first": "%3f/../" + away,
        "question mark encoded twice": "a%253f/" + away,
        "empty authority": "http:///%23/" + away,
        "proxy URI": "mlflow-artifacts:/" + away,
        "proxy URI, authority": "mlflow-artifacts://host/" + away,
        "run URI": "runs:/" + away,
        "home": "~/" + away,
        "home only": "~root/.bashrc",
        "environment": "$HOME/" + away,
        "proc": UP + "proc/self/root" + absolute,
        "long": "a/" * 400 + "../" * 500 + inner,
    }


def decoded_fully(text: str) -> str:
    while (once := unquote(text)) != text:
        text = once
    return text


def leaves_the_root(spelling: str) -> bool:
    """Whether a reader who decodes until nothing changes would find itself outside. Such a path must be refused; the
    others may also be taken for strange file names."""
    plain = decoded_fully(spelling)
    return (
        ".." in plain.split("/")
        or plain.startswith("/")
        or "#" in plain
        or re.match(r"(?i)file:/", plain) is not None
        or re.match(r"(?i)[a-z]:\\", plain) is not None
    )
