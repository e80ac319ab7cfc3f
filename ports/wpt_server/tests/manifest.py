"""Prints the tests in the checkout in the current folder as upstream's manifest has them: URL, kind, timeout, scheme."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, "tools")
import localpaths  # sets sys.path
from manifest.sourcefile import SourceFile

for top in sys.argv[1:]:
    for folder, _, files in os.walk(top):
        for file in files:
            source = SourceFile(os.getcwd(), os.path.join(folder, file), "/")
            kind, items = source.manifest_items()
            if kind not in ("testharness", "crashtest"):
                continue
            for item in items:
                scheme = "https" if getattr(item, "https", False) else "http"
                print(item.url, kind, getattr(item, "timeout", None) or "normal", scheme)
