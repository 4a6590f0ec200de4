"""Files that are dropped on a page, or pasted into it."""

import base64
from pathlib import Path

from playwright.sync_api import Page


def hand_over(page: Page, kind: str, path: Path) -> None:
    """Drop or paste a file, as the browser tells the page of it."""
    script = """([kind, name, content]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type: "image/png" }));
        const options = { bubbles: true, cancelable: true };
        if (kind === "paste") {
            document.body.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: data }));
        } else {
            canvas.dispatchEvent(new DragEvent(kind, { ...options, dataTransfer: data }));
        }
    }"""
    page.evaluate(script, [kind, path.name, base64.b64encode(path.read_bytes()).decode()])
