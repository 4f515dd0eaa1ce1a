"""What a site's health says of FPVTrackside's files."""

from daemons.ops.health import Health, Severity
from daemons.race.fields import FieldNews
from daemons.race.sitehealth import note_files


def test_files_of_an_unknown_version_are_a_notice_by_name() -> None:
    health = Health(lambda: 0.0)
    note_files(health, ())
    assert health.warnings == []
    note_files(health, [FieldNews("Race.json", ("Weather",), ("Laps.LengthSeconds", "Start"))])
    (warning,) = health.warnings
    assert (warning.name, warning.severity) == ("race-files", Severity.NOTICE)
    assert "Race.json has Weather, lacks Laps.LengthSeconds Start" in warning.words
