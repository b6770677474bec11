import numpy as np
import pytest
from PIL import Image

from difftool.data.decode import luma
from difftool.data.fit import fit

PAGE = (10, 200, 30)


def coordinates(width: int, height: int) -> Image.Image:
    """A picture whose red is its x and whose green is its y."""
    y, x = np.mgrid[:height, :width].astype(np.uint8)
    return Image.fromarray(np.stack([x, y, np.zeros_like(x)], axis=2))


def noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 1000 + height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("how", ["center", "random", "pad"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (64, 64), (33, 17), (200, 90), (3000, 2), (2, 3000)])
@pytest.mark.parametrize("target", [(64, 64), (16, 40), (40, 16), (1, 1)])
def test_every_size_gives_the_shape_and_a_constant_stays_constant(how, mode, size, target):
    colour = 77 if mode == "L" else (200, 40, 10)
    page = (77, 77, 77) if mode == "L" else colour
    pixels = fit(Image.new(mode, size, colour), *target, how, page, (0.3, 0.9))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (*target, 1 if mode == "L" else 3)
    assert (pixels == colour).all()


def test_rounding_never_leads_out_of_the_picture():
    rng = np.random.default_rng(1)
    for width, height, tall, wide in rng.integers(1, 60, (3000, 4)).tolist():
        place = (1 - 2.0**-48, 1 - 2.0**-48)
        assert fit(Image.new("L", (width, height), 7), tall, wide, "random", place=place).min() == 7


@pytest.mark.parametrize("how", ["center", "random", "pad"])
def test_a_picture_of_the_right_size_is_untouched(how):
    image = noise(30, 20)
    assert (fit(image, 20, 30, how, PAGE, (0.7, 0.2)) == np.asarray(image)).all()
    grey = image.convert("L")
    assert (fit(grey, 20, 30, how)[:, :, 0] == np.asarray(grey)).all()


@pytest.mark.parametrize("excess", [1, 2, 3, 8])
def test_what_needs_no_scaling_is_cut_out_in_whole_pixels(excess):
    wide, high = noise(20 + excess, 16), noise(20, 16 + excess)
    spots = set()
    for share in np.linspace(0, 0.999, 97):
        left = int(share * (excess + 1))
        spots.add(left)
        assert (fit(wide, 16, 20, "random", place=(share, 0.5)) == np.asarray(wide)[:, left : left + 20]).all()
        assert (fit(high, 16, 20, "random", place=(0.5, share)) == np.asarray(high)[left : left + 16]).all()
    assert spots == set(range(excess + 1))
    middle = fit(wide, 16, 20, "center", place=(0, 0))  # a place is for random only
    assert (middle == np.asarray(wide)[:, (excess + 1) // 2 :][:, :20]).all()


@pytest.mark.parametrize(("place", "left"), [((0, 0), 0.0), ((0.25, 0.9), 30.0), ((0.999999, 0), 120.0)])
def test_a_crop_that_is_scaled_lies_where_it_was_asked(place, left):
    # 200 x 80 to 20 x 20: a quarter of the size, 80 of 200 columns are kept, of 120 there are to choose from
    pixels = fit(coordinates(200, 80), 20, 20, "random", place=place).astype(float)
    middles = 4 * np.arange(20) + 1.5  # the mean coordinate of four neighbours
    inner = slice(3, -3)  # at its rim a filter sees less on one side
    assert np.abs(pixels[inner, inner, 0] - (left + middles)[None, inner]).max() <= 1
    assert np.abs(pixels[inner, inner, 1] - middles[inner, None]).max() <= 1


def test_center_keeps_the_middle_and_random_reaches_both_edges():
    image = coordinates(200, 50)
    middle = fit(image, 25, 25, "center")[:, :, 0].astype(float)
    assert abs(middle.mean() - 99.5) <= 0.5  # every value ends in a half, and is rounded
    first = fit(image, 25, 25, "random", place=(0, 0))[:, :, 0]
    last = fit(image, 25, 25, "random", place=(0.999, 0.999))[:, :, 0]
    assert first.min() <= 1
    assert last.max() >= 198
    assert fit(coordinates(50, 200), 25, 25, "random", place=(0.999, 0.999))[:, :, 1].max() >= 198


@pytest.mark.parametrize(("size", "target", "step"), [(240, 60, 1), (240, 97, 1), (40, 100, 6), (10, 100, 25)])
def test_a_ramp_keeps_its_slope(size, target, step):
    ramp = Image.fromarray(np.tile((step * np.arange(size)).astype(np.uint8), (size, 1)))
    pixels = fit(ramp, target, target, "center")[:, :, 0].astype(float)
    factor = size / target
    expected = step * (factor * (np.arange(target) + 0.5) - 0.5)
    inner = slice(target // 5, -target // 5)
    assert np.abs(pixels[:, inner] - expected[None, inner]).max() <= 1
    assert (np.ptp(pixels, axis=0) <= 1).all()


@pytest.mark.parametrize("factor", [2, 2.5, 3, 4, 9, 20, 40])
def test_stripes_too_fine_to_show_become_flat(factor):
    side = int(32 * factor)
    y, x = np.mgrid[:side, :side]
    for pattern in (x % 2, y % 2, (x + y) % 2):
        fine = Image.fromarray((255 * pattern).astype(np.uint8))
        pixels = fit(fine, 32, 32, "center")[4:-4, 4:-4, 0].astype(float)
        assert abs(pixels.mean() - 127.5) < 1.5
        assert pixels.std() < 4, "without a filter it would be 127, or waves"


def test_a_half_averages_two_by_two_of_what_is_smooth():
    y, x = np.mgrid[:128, :128]
    smooth = np.rint(127.5 + 100 * np.sin(x / 17) * np.cos(y / 23)).astype(np.uint8)
    means = smooth.reshape(64, 2, 64, 2).mean(axis=(1, 3))
    pixels = fit(Image.fromarray(smooth), 64, 64, "center")[:, :, 0]
    assert np.abs(pixels - means).max() <= 1.5


def test_detail_that_can_be_shown_is_kept():
    # stripes 4 wide at half size: 2 wide; a filter that blurs, or scaling twice, would flatten them
    stripes = Image.fromarray(np.tile(np.where(np.arange(128) % 8 < 4, 220, 30).astype(np.uint8), (128, 1)))
    pixels = fit(stripes, 64, 64, "center")[8:-8, 8:-8, 0].astype(float)
    assert pixels.std() > 0.9 * 95


@pytest.mark.parametrize(
    ("size", "most"),
    # the largest is averaged in blocks first, which start at the left: a little of that is left of noise
    [((97, 61), 1), ((200, 150), 1), ((61, 97), 1), ((30, 20), 1), ((600, 500), 1), ((1500, 1000), 2)],
)
def test_a_mirrored_picture_gives_the_mirrored_result(size, most):
    image = noise(*size)
    pixels = fit(image, 40, 40, "center").astype(int)
    for axis, method in ((1, Image.Transpose.FLIP_LEFT_RIGHT), (0, Image.Transpose.FLIP_TOP_BOTTOM)):
        flipped = fit(image.transpose(method), 40, 40, "center").astype(int)
        assert np.abs(np.flip(flipped, axis) - pixels).max() <= most


def test_huge_pictures_give_what_the_plain_filter_gives():
    y, x = np.mgrid[:1200, :1600]
    busy = (127.5 + 60 * np.sin(x / 9) * np.cos(y / 31) + 60 * np.sign(np.sin((x + 2 * y) / 97))).astype(np.uint8)
    exact = Image.fromarray(busy).resize((32, 32), Image.Resampling.LANCZOS, box=(200, 0, 1400, 1200))
    pixels = fit(Image.fromarray(busy), 32, 32, "center")[:, :, 0].astype(int)
    assert np.abs(pixels - np.asarray(exact).astype(int)).max() <= 2


@pytest.mark.parametrize(
    ("size", "inside"), [((80, 20), (slice(24, 40), slice(0, 64))), ((3, 6), (slice(0, 64), slice(16, 48)))]
)
def test_pad_keeps_everything_on_its_page(size, inside):
    for image, page in ((Image.new("RGB", size, (1, 2, 3)), PAGE), (Image.new("L", size, 1), (luma(PAGE),))):
        pixels = fit(image, 64, 64, "pad", PAGE)
        outside = np.ones((64, 64), dtype=bool)
        outside[inside] = False
        assert (pixels[inside] == np.asarray(image)[0, 0]).all()
        assert (pixels[outside] == page).all()


def test_pad_shows_both_ends():
    pixels = fit(coordinates(200, 100), 50, 50, "pad", (0, 0, 255))
    rows = np.flatnonzero(pixels[:, 25, 2] == 0)
    assert (rows[0], rows[-1]) == (12, 36)
    shown = pixels[12:37].astype(int)
    assert shown[:, 0, 0].max() <= 3
    assert shown[:, -1, 0].min() >= 196


def test_a_line_of_a_million_pixels_is_no_trouble():
    line = np.zeros((1, 1_000_000), dtype=np.uint8)
    line[:, 500_000:] = 255
    pixels = fit(Image.fromarray(line), 8, 64, "pad", (9, 9, 9))
    assert (pixels[:3] == 9).all()
    assert (pixels[3, :30] < 3).all()
    assert (pixels[3, 34:] > 252).all()
    assert fit(Image.fromarray(line), 64, 64, "random", place=(0.9, 0)).min() == 255
    assert fit(Image.fromarray(line.T), 64, 64, "center").shape == (64, 64, 1)


def test_the_grey_of_a_colour_is_that_of_the_decoder():
    rng = np.random.default_rng(3)
    for colour in [(0, 0, 0), (255, 255, 255), *map(tuple, rng.integers(0, 256, (200, 3)).tolist())]:
        assert luma(colour) == Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))


def test_other_modes_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="L or RGB, not RGBA"):
        fit(Image.new("RGBA", (4, 4)), 4, 4, "center")
