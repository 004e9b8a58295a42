"""Colours and lines that can be told apart by everyone."""



from tools.figures import style


def lightness(colour):
    """CIE lightness of a #rrggbb colour, 0 to 100."""
    linear = [(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
              for c in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))]  # fmt: skip
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def test_curves_differ_without_colour():
    """Neighbours differ in lightness, and any two of the first 28 in more than colour or lie far apart in lightness."""
    looks = [style.curve(number) for number in range(28)]
    assert len({tuple(sorted(look.items())) for look in looks}) == 28
    assert len({(look["linestyle"], look["marker"]) for look in looks}) == 28
    assert abs(lightness(style.OURS) - lightness(style.PAPERS)) > 5
    assert len(set(style.COLOURS)) == 7
