# ruff: noqa: RUF001
from __future__ import annotations

import pytest

from stages.wiki.convert import convert


def shown(template: str) -> str:
    arguments: dict[str, str] = {}
    position = 0
    for part in template.split("|"):
        name, equals, value = part.partition("=")
        if not equals:
            position += 1
            name, value = str(position), part
        arguments[name] = value
    return convert(arguments)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        # As exact as the input, two significant figures at least.
        ("45|km|mi", "45 kilometres (28 mi)"),
        ("94|km", "94 kilometres (58 mi)"),
        ("8|km|abbr=on", "8 km (5.0 mi)"),
        ("1300|mi|km", "1,300 miles (2,100 km)"),
        ("12.70|km|mi", "12.70 kilometres (7.89 mi)"),
        ("1|mi", "1 mile (1.6 km)"),
        ("0.05|in|mm", "0.05 inches (1.3 mm)"),
        ("1/2|in|mm", "1/2 inch (13 mm)"),
        ("5e3|m|km", "5e3 metres (5.0 km)"),
        # What the editor asks for.
        ("10|km|mi|2", "10 kilometres (6.21 mi)"),
        ("10|km|3", "10 kilometres (6.214 mi)"),
        ("10|km|mi|sigfig=4", "10 kilometres (6.214 mi)"),
        ("12345|ft|m|-2", "12,345 feet (3,800 m)"),
        # Feet are more exact than what they come from; the default of metres are feet.
        ("2|m", "2 metres (6.6 ft)"),
        ("300|m", "300 metres (980 ft)"),
        ("2|m|ftin", "2 metres (6 ft 7 in)"),
        ("30|cm|ftin", "30 centimetres (1 ft 0 in)"),
        ("6|ft|1|in|m", "6 feet 1 inch (1.85 m)"),
        ("5|ft|11|in|cm|abbr=on", "5 ft 11 in (180 cm)"),
        ("10|st|7|lb", "10 stone 7 pounds (67 kg)"),
        # Several numbers share their exactness.
        ("3|to|5|ft|m", "3 to 5 feet (0.91 to 1.52 m)"),
        ("100|-|150|ft|m|abbr=on", "100–150 ft (30–46 m)"),
        ("4|by|6|in|mm", "4 by 6 inches (100 by 150 mm)"),
        # Temperatures.
        ("20|C", "20 °C (68 °F)"),
        ("37.5|C|F", "37.5 °C (99.5 °F)"),
        ("-40|°F|°C", "−40 °F (−40 °C)"),
        ("0|C", "0 °C (32 °F)"),
        # How it is shown.
        ("7|kg|lb|order=flip", "15 pounds (7 kg)"),
        ("7|km|mi|abbr=off|sp=us", "7 kilometers (4.3 miles)"),
        ("2|mi|km|disp=or", "2 miles or 3.2 km"),
        ("100|km|mi nmi|abbr=on", "100 km (62 mi; 54 nmi)"),
        ("13|e6acre|e6ha|abbr=off", "13 million acres (5.3 million hectares)"),
        ("3|mi|km|disp=output only", "4.8 km"),
        # What cannot be converted.
        ("9|zorkmid", "9 zorkmid"),
        ("many|km", "many km"),
        ("9|km|kg", "9 kilometres"),
        ("9", ""),
        ("1e999|km|mi", "1e999 km"),
    ],
)
def test_a_measurement_is_shown_as_the_template_shows_it(template: str, words: str) -> None:
    assert shown(template).replace("\u00a0", " ") == words
