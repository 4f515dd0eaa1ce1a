"""The array form: `[lead…, required fields in order…, {optional fields}]`, for frames and for the values
inside them.

The map is left out when every optional field has its default. Any array may end with a map, and keys in it
that are unknown are ignored: that is how later minor versions add to a frame. Frames are not structured by
cattrs: its list hook takes any iterable for an array, and its errors hold the value.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, get_args

import attrs

from protocol import cbor
from protocol.fieldrules import TEXT_MAX, FieldRule, MalformedField, each_of, rule_of, text

__all__ = ["ArrayForm"]


def _shorten(words: str) -> str:
    return words if len(words) <= TEXT_MAX else words[: TEXT_MAX - 1] + "…"


def _plain(value: Any) -> Any:
    return value


class _Field:
    """One field: its name, the rule that reads it, the function that writes it, its default if it has one."""

    def __init__(self, owner: type[Any], field: "attrs.Attribute[Any]") -> None:
        self.name = field.name
        self.is_required = field.default is attrs.NOTHING
        factory = getattr(field.default, "factory", None)
        self.default = factory() if factory else field.default
        self.read: FieldRule
        self.write: Callable[[Any], Any] = _plain
        inner = [
            kind for kind in (field.type, *get_args(field.type)) if isinstance(kind, type) and attrs.has(kind)
        ]
        if not inner:
            self.read = rule_of(owner.__name__, field.name)
            if self.read is text:
                self.write = _shorten
            return
        form = ArrayForm(inner[0])
        if inner[0] is field.type:
            self.read, self.write = form.read, form.write
        else:
            self.read = each_of(form.read)
            self.write = lambda values: [form.write(value) for value in values]


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what reads these attributes as a tuple (attrgetter does so for two or more only)."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


class ArrayForm:
    """How the values of one attrs class are written as an array and read from one.

    `lead`: what stands before the fields (the kind of a frame). An array passed to `read` is known to begin
    with it.
    """

    def __init__(self, cls: type[Any], lead: Sequence[int] = ()) -> None:
        self.cls = cls
        self.lead = tuple(lead)
        fields = [_Field(cls, field) for field in attrs.fields(cls)]
        self._required = [field for field in fields if field.is_required]
        self._optional = {field.name: field for field in fields if not field.is_required}
        self._length = len(self.lead) + len(self._required)
        self._get = _getter([field.name for field in self._required])
        self._is_plain = not self._optional and all(field.write is _plain for field in fields)

    def read(self, array: Any) -> Any:
        """Build the value from its array. Raises MalformedField, which names the field, never its value."""
        if type(array) is not list:
            raise MalformedField("is not an array")
        options = {}
        if len(array) != self._length:
            if len(array) != self._length + 1 or type(array[-1]) is not dict:
                raise MalformedField("has the wrong number of fields")
            options = self._read_options(array[-1])
        values = []
        try:
            for field, value in zip(self._required, array[len(self.lead) :], strict=False):
                values.append(field.read(value))
        except MalformedField as exc:
            raise MalformedField(f"{self._required[len(values)].name} {exc}") from None
        return self.cls(*values, **options)

    def _read_options(self, given: dict[str, Any]) -> dict[str, Any]:
        options = {}
        for name, value in given.items():
            field = self._optional.get(name)
            if field is None:
                words = cbor.violation({name: value})
                if words is not None:
                    raise MalformedField(f"an unknown option holds {words}")
                continue
            try:
                options[name] = field.read(value)
            except MalformedField as exc:
                raise MalformedField(f"{name} {exc}") from None
        return options

    def write(self, value: Any) -> Sequence[Any]:
        """Return the array of `value`."""
        values = self._get(value)
        if self._is_plain:
            return (*self.lead, *values)
        array = [
            *self.lead,
            *(field.write(value) for field, value in zip(self._required, values, strict=True)),
        ]
        options = {
            name: field.write(getattr(value, name))
            for name, field in self._optional.items()
            if getattr(value, name) != field.default
        }
        return [*array, options] if options else array
