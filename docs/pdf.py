"""One HTML page as a PDF, printed by a Chromium that is there: `python docs/pdf.py page.html book.pdf`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def main() -> None:
    """Print it, or say what is missing."""
    page, target = (Path(argument).resolve() for argument in sys.argv[1:])
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"a PDF is printed by a browser, and none of {', '.join(BROWSERS)} is here: install Chromium")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--no-pdf-header-footer",
             "--generate-pdf-document-outline",
             "--virtual-time-budget=20000", f"--print-to-pdf={target}", page.as_uri()],
            check=True, capture_output=True, timeout=1800,
        )  # fmt: skip
    print(f"The PDF: {target} ({target.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
