"""The base of what draws itself line by line: tables, single lines, curves, maps.

Textual prepares every line of a widget for borders, padding, tints and links, which costs as much as drawing it. What has
none of that is painted with a third less.
"""

from collections.abc import Iterable

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

__all__ = ["LineWidget"]


class LineWidget(Widget):
    """A widget without border, padding and background, which has a `render_line` as wide as it is.

    Its lines are kept until they are `refresh`ed.
    """

    _kept: dict[int, Strip]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (as Textual calls it)
        self._kept = {}
        super().__init__(id=id)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a part of it."""
        kept, strips = self._kept, []
        filters = self.app.get_line_filters()
        for y in crop.line_range:
            strip = kept.get(y)
            if strip is None:
                strip = self.render_line(y)
                for one in filters:
                    strip = strip.apply_filter(one, self.background_colors[1])
                kept[y] = strip
            strips.append(strip)
        left, right = crop.column_span
        if left or (strips and right != strips[0].cell_length):
            strips = [strip.crop(left, right) for strip in strips]
        return strips

    def refresh_all(self, regions: Iterable[Region]) -> None:
        """Paint these parts again; nothing when there are none."""
        dirty = list(regions)
        if dirty:
            self.refresh(*dirty)

    def _set_dirty(self, *regions: Region) -> None:
        # Whatever makes Textual forget a line comes by here.
        super()._set_dirty(*regions)
        if regions:
            for region in regions:
                for y in region.line_range:
                    self._kept.pop(y, None)
        else:
            self._kept.clear()
