"""Entity: what one line of a Wikidata dump says, in one language and for one wiki."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Entity", "Literal", "Statement", "TimeValue"]


class TimeValue(Struct, frozen=True, gc=False):
    """A time as Wikidata states it.

    Attributes:
        time: As in the dump: "+1237-01-01T00:00:00Z". What is finer than `precision` means
            nothing, month and day may be 00, and the year may have any number of digits.
        precision: 0 (a billion years) to 9 (year), 10 (month), 11 (day), 14 (second).
        calendar: QID of the calendar: Q1985727 Gregorian, Q1985786 Julian.
    """

    time: str
    precision: int
    calendar: str


class Statement(Struct, frozen=True, gc=False):
    """A statement whose value is an item, or unknown, or none.

    Attributes:
        ordinal: Place among all statements of the entity, literal ones too, from 0.
        pid: Property.
        rank: "preferred", "normal" or "deprecated".
        snak: "value", "somevalue" (there is one, unknown) or "novalue" (there is none).
        tail_qid: Item that is the value; None for somevalue and novalue.
        start: First value of the qualifier P580 (start time).
        end: First value of P582 (end time).
        point: First value of P585 (point in time).
        more_times: Number of further P580, P582 and P585 that are not kept: second values, and
            those whose value is unknown or none.
    """

    ordinal: int
    pid: str
    rank: str
    snak: str
    tail_qid: str | None
    start: TimeValue | None = None
    end: TimeValue | None = None
    point: TimeValue | None = None
    more_times: int = 0


class Literal(Struct, frozen=True, gc=False):
    """A statement whose value is no item: a time, a quantity, a string, a place on a globe.

    Of a quantity the bounds are left out, of a place its precision, of a time its time zone.

    Attributes:
        ordinal: Place among all statements of the entity, from 0.
        pid: Property.
        rank: "preferred", "normal" or "deprecated".
        snak: "value", "somevalue" or "novalue".
        datatype: Datatype of the property, as "external-id"; None where the dump does not say.
        kind: Type of the value as the JSON names it: "time", "quantity", "string",
            "monolingualtext", "globecoordinate"; "wikibase-entityid" for properties, lexemes and
            other entities that are no items. Without a value: what the datatype would have.
        value: Time as in the dump, amount with its sign ("+16"), string, text, "latitude,longitude"
            in degrees, id; None for somevalue and novalue. Of an unknown kind: its JSON.
        precision: Precision of a time, 0 to 14.
        calendar: QID of a time's calendar.
        unit: QID of a quantity's unit, None for a mere number; of a place: QID of its globe.
        language: Language code of a monolingual text.
        start: First value of the qualifier P580 (start time).
        end: First value of P582 (end time).
        point: First value of P585 (point in time).
        more_times: As of `Statement`.
    """

    ordinal: int
    pid: str
    rank: str
    snak: str
    datatype: str | None
    kind: str
    value: str | None
    precision: int | None = None
    calendar: str | None = None
    unit: str | None = None
    language: str | None = None
    start: TimeValue | None = None
    end: TimeValue | None = None
    point: TimeValue | None = None
    more_times: int = 0


class Entity(Struct, frozen=True, gc=False):
    """An entity, in one language and with its article on one wiki.

    Attributes:
        kind: "item", "property", "redirect" (the id was given up for another) or "other" (lexemes,
            files and the like, of which nothing but the id is read).
        id: "Q31", "P31", ...
        label: Label in the language, else the one that holds in all languages, else None.
        description: Description, likewise.
        aliases: Further names in the language and in all languages, none twice.
        sitelink_title: Title of its article on the wiki, None where it has none.
        instance_of: QIDs of P31 that are not deprecated, preferred ones first, none twice.
        redirect_to: Id that a redirect leads to, one step.
        datatype: Kind of the values of a property, as Wikidata names it.
        statements: Statements whose value is an item, or is not there.
        literals: All other statements.
        unread: What is wrong with each statement that could not be read, as a message.
    """

    kind: str
    id: str
    label: str | None = None
    description: str | None = None
    aliases: tuple[str, ...] = ()
    sitelink_title: str | None = None
    instance_of: tuple[str, ...] = ()
    redirect_to: str | None = None
    datatype: str | None = None
    statements: tuple[Statement, ...] = ()
    literals: tuple[Literal, ...] = ()
    unread: tuple[str, ...] = ()
