"""The parts of a page as a browser would see them: elements, attributes, data blocks, script."""

import json
import re
from html.parser import HTMLParser
from typing import Any

OWN_ELEMENTS = set(
    re.findall(
        r"\w+",
        "html head meta title link style script body noscript header main nav section article "
        "footer figure table thead tbody tr th td h1 h2 p ul li dl dt dd div span a b i strong bdi "
        "code button svg rect path",
    )
)


class PageParts(HTMLParser):
    """Elements with their attributes, the JSON blocks by id, the scripts and the visible text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: dict[str, Any] = {}
        self.scripts: list[str] = []
        self.text = ""
        self._inside: tuple[str, dict[str, str | None]] = ("", {})
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = (tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside = ("", {})

    def handle_data(self, data: str) -> None:
        tag, attributes = self._inside
        if tag == "script" and attributes.get("type") == "application/json":
            self.blocks[str(attributes["id"])] = json.loads(data)
        elif tag == "script":
            self.scripts.append(data)
        elif tag != "style":
            self.text += data

    @property
    def responses(self) -> dict[int, dict[str, Any]]:
        """Data block of each response by its row."""
        return self._numbered("response-")

    @property
    def documents(self) -> dict[int, str]:
        """Each document by its number."""
        return self._numbered("document-")

    def _numbered(self, prefix: str) -> dict[int, Any]:
        return {
            int(name.removeprefix(prefix)): block
            for name, block in self.blocks.items()
            if name.startswith(prefix)
        }

    def injected(self) -> list[str]:
        """Elements and attributes that our own template never writes."""
        return [tag for tag, _ in self.elements if tag not in OWN_ELEMENTS] + [
            name for _, attributes in self.elements for name in attributes if name.startswith("on")
        ]
