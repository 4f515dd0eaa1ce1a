"""axe-core in a tab: WCAG 2.2 AA and good practice."""

from axe_playwright_python.base import AXE_SCRIPT

from tests.browser import Tab

__all__ = ["axe"]


def axe(tab: Tab, what: str) -> None:
    """Let axe look, in the light and, where colours alone are others, in the dark. AssertionError with what is wrong."""
    tab.page.evaluate(f"window.axe ?? (() => {{ {AXE_SCRIPT} }})()")
    for scheme, rules in (("light", "undefined"), ("dark", "['color-contrast']")):
        tab.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = tab.page.evaluate(
            f"async () => (await axe.run({{ resultTypes: ['violations'], preload: false, runOnly: {rules} }})).violations"
            ".map((rule) => [rule.help, ...rule.nodes.map((node) => node.html + ' ' + node.failureSummary)])"
        )
        assert not found, (what, scheme, found)
        tab.picture(f"{what.lower().replace(' ', '-')}-{scheme}")
