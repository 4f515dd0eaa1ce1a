"""The Textual half: App, then pages (screens), then views, then line widgets; each does one job.

It reads the model and puts deeds on a channel. `tui.app.run` starts it.
"""
