"""The base of what draws itself line by line: tables, single lines, curves, maps.

Textual prepares every line of a widget for borders, padding, tints and links, and lays every change of a screen together from
all the widgets it might touch. What has none of that, and lies under nothing, is drawn with a third of the work.
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
        if not dirty:
            return
        place = self._spot()
        if place is None:
            self.refresh(*dirty)
        else:
            self._send_parts(dirty, place)

    def _spot(self) -> Region | None:
        """Return where on the terminal this is, when it can be drawn there by itself: whole, and in the picture that Textual
        has sent last."""
        app = self.app
        if not self._is_mounted or app.is_headless or app._driver is None or app._driver.is_inline:
            return None
        screen = self.screen
        is_still = not (screen._layout_required or screen._scroll_required or app._batch_count or app._exit)
        if app.screen is not screen or not is_still or self.size != self.region.size:
            return None
        layout = screen._compositor
        if layout.size != (getattr(app._driver, "terminal_size", None) or layout.size):
            return None
        region, clip = layout.visible_widgets.get(self, (Region(), Region()))
        return region if region and clip.contains_region(region) else None

    def _send_parts(self, dirty: Iterable[Region], place: Region) -> None:
        app, out = self.app, []
        for part in dirty:
            self._forget(part)
            part = part.intersection(place.reset_offset)
            for y, strip in enumerate(self.render_lines(part), place.y + part.y):
                out.append(f"\x1b[{y + 1};{place.x + part.x + 1}H{strip.render(app.console)}")
        x, y = app.screen.outer_size.clamp_offset(app.cursor_position)  # where Textual leaves it
        out.append(f"\x1b[{y + 1};{x + 1}H")
        if app._driver is not None:
            app._driver.write("".join(out))

    def _set_dirty(self, *regions: Region) -> None:
        # Whatever makes Textual forget a line comes by here.
        super()._set_dirty(*regions)
        if regions:
            for region in regions:
                self._forget(region)
        else:
            self._kept.clear()

    def _forget(self, part: Region) -> None:
        for y in part.line_range:
            self._kept.pop(y, None)
