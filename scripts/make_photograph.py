"""Make the example photograph: mountains above a lake at dusk.

The picture is computed, not taken: a fractal landscape is seen through a pinhole
camera, reflected in rippled water, then "developed" with a film curve, vignetting
and grain.  All chance comes from one fixed seed, so a second run makes the same
picture (its bytes may differ between releases of numpy and of the JPEG library).

Needs Python 3.11 or later, numpy and Pillow.  To run it:

    python scripts/make_photograph.py OUTPUT.jpg

The output is a baseline JPEG of 4000 x 2667 pixels and about 7 MB.  It takes about
half a minute and 1.3 GB of memory.
"""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating[Any]]  # at run time float32, to save memory
Tree = tuple[int, int, NDArray[np.bool_], Floats]  # column, rise, silhouette, colour

WIDTH, HEIGHT = 4000, 2667
HORIZON = round(0.60 * HEIGHT)  # the row where the far shore meets the lake
FOCAL = 0.85 * WIDTH  # in pixels: the view of a 30 mm lens on 35 mm film
EYE = 2.2  # height of the camera above the water, in metres
SUN = 0.11  # azimuth of the sun, which has just set
PLACE = 60.3  # where in the endless fractal landscape the camera stands
JPEG_QUALITY = 97  # with the grain, this sets the size of the file

RNG = np.random.default_rng(1911)
LATTICE = RNG.uniform(-1, 1, (256, 256)).astype(np.float32)

# A direction of view is two slopes: offset from the optical axis over focal length.
AZIMUTH = ((np.arange(WIDTH, dtype=np.float32) - WIDTH / 2) / FOCAL)[None, :]
ELEVATION = ((HORIZON - np.arange(HORIZON, dtype=np.float32)) / FOCAL)[:, None]
DOWN = ((np.arange(HEIGHT - HORIZON, dtype=np.float32) + 0.5) / FOCAL)[:, None]


def rgb(red: float, green: float, blue: float) -> Floats:
    """Return a colour in linear light."""
    return np.array([red, green, blue], np.float32)


def mix(a: Floats, b: Floats, weight: Floats) -> Floats:
    """Blend colours a and b; the weight of b has no colour axis."""
    return a + (b - a) * weight[..., None]


def smoothstep(low: float, high: float, x: Floats) -> Floats:
    """Rise smoothly from 0 at low to 1 at high."""
    t: Floats = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def noise(x: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
    """Return smooth noise in -1..1, and its slopes along x and z."""
    x0, z0 = np.floor(x), np.floor(z)
    fx, fz = x - x0, z - z0
    i, j = x0.astype(np.int32) & 255, z0.astype(np.int32) & 255
    i1, j1 = (i + 1) & 255, (j + 1) & 255
    a, b, c = LATTICE[j, i], LATTICE[j, i1], LATTICE[j1, i]
    bx, cz, k = b - a, c - a, a - b - c + LATTICE[j1, i1]
    u, v = fx * fx * (3 - 2 * fx), fz * fz * (3 - 2 * fz)
    slope_x = 6 * fx * (1 - fx) * (bx + k * v)
    slope_z = 6 * fz * (1 - fz) * (cz + k * u)
    return a + bx * u + cz * v + k * u * v, slope_x, slope_z


def fractal(x: Floats, z: Floats, octaves: int, erosion: float = 0) -> Floats:
    """Sum octaves of noise; erosion weakens them on slopes, which sharpens ridges."""
    total, slope_x, slope_z = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for octave in range(octaves):
        value, dx, dz = noise(x, z)
        slope_x, slope_z = slope_x + dx, slope_z + dz
        total += 0.5**octave * value / (1 + erosion * (slope_x**2 + slope_z**2))
        # Twice as fine, and turned by 37 degrees so that the octaves do not line up.
        x, z = 1.6 * x - 1.2 * z + 17.3, 1.2 * x + 1.6 * z + 41.7
    return total


def near_sun(azimuth: Floats, width: float) -> Floats:
    """Return how much a direction is on the sunset's side, from 0 to 1."""
    return np.asarray(np.exp(-(((azimuth - SUN) / width) ** 2)), np.float32)


def clear_sky() -> Floats:
    """Return the sky after sunset, with the first stars."""
    az, el = np.broadcast_arrays(AZIMUTH, ELEVATION)
    sun = near_sun(az, 0.38)
    low = mix(rgb(0.50, 0.25, 0.22), rgb(1.05, 0.47, 0.16), sun)
    middle = mix(rgb(0.20, 0.19, 0.30), rgb(0.46, 0.34, 0.36), sun)
    sky = mix(low, middle, smoothstep(0.0, 0.20, el))
    sky = mix(sky, rgb(0.030, 0.065, 0.160), smoothstep(0.10, 0.52, el))
    glow = np.exp(-np.hypot((az - SUN) / 1.7, el) / 0.075)
    sky += glow[..., None] * rgb(1.5, 0.75, 0.22)
    rows, columns = RNG.integers(0, HORIZON // 2, 180), RNG.integers(1, WIDTH, 180)
    bright = (1 - 2 * rows / HORIZON) * RNG.uniform(0.1, 0.9, 180) ** 3
    for dy, dx in ((0, 0), (0, -1), (1, 0), (1, -1)):  # two by two pixels each
        sky[rows + dy, columns + dx] += bright[:, None].astype(np.float32)
    return sky


def add_clouds(sky: Floats) -> Floats:
    """Lay a high, broken sheet of cloud, lit from beyond the horizon, over the sky."""
    x = AZIMUTH / (ELEVATION + 0.035)  # places on the sheet, in units of its height
    z = np.broadcast_to(1 / (ELEVATION + 0.035), x.shape)
    warped_x = x + 0.45 * fractal(x * 0.5 + 5, z * 0.35, 4)
    warped_z = z + 0.45 * fractal(x * 0.5 + 50, z * 0.35 + 9, 4)
    gaps = 0.15 * fractal(x * 0.2, z * 0.2, 2)

    def thickness(shift: float) -> Floats:
        sheet = fractal(warped_x * 1.3 + 2, (warped_z + shift) * 0.7 + 4, 9)
        return smoothstep(-0.05, 0.50, 0.5 * sheet + gaps)

    here = thickness(0)
    lit = np.clip(0.55 + 1.6 * (here - thickness(0.35)), 0, 1)  # thin towards the sun
    sun = near_sun(AZIMUTH, 0.45) * np.exp(-((ELEVATION / 0.30) ** 2))
    dark = mix(rgb(0.085, 0.085, 0.14), rgb(0.22, 0.13, 0.14), sun)
    bright = mix(rgb(0.42, 0.23, 0.26), rgb(1.55, 0.62, 0.24), sun)
    return mix(sky, mix(dark, bright, lit), 0.9 * here * smoothstep(0, 0.05, ELEVATION))


def ground(x: Floats, z: Floats, octaves: int) -> Floats:
    """Return the height of the land at a place; all in metres, z away from us."""
    valley = smoothstep(0, 3800, np.abs(x - SUN * z + 500 * np.sin(z / 1900)))
    banks = 1500 * valley * smoothstep(1250, 2600, z)
    relief = smoothstep(1300, 9000, z + banks) * (600 + 1700 * valley)
    relief += smoothstep(8000, 30000, z) * 1700
    rough = fractal(x / 3900 + PLACE, z / 3900 + 8.2, octaves, erosion=0.6)
    return relief * (0.42 + 0.80 * rough) - 3


def distance_seen() -> Floats:
    """Return the distance of the land seen in every pixel (infinite: sky)."""
    steps = np.geomspace(1250, 42000, 1300, dtype=np.float32)
    slopes = [ground(AZIMUTH[0] * z, np.full(WIDTH, z), 10) / z for z in steps]
    seen = np.full((HORIZON, WIDTH), np.inf, np.float32)
    for column, slope in enumerate(np.stack(slopes, axis=1)):
        # The land seen at an elevation is the first that rises as high.
        k = np.searchsorted(np.maximum.accumulate(slope), ELEVATION[:, 0])
        hit = k < len(steps)
        k = np.maximum(k[hit], 1)
        part = (ELEVATION[hit, 0] - slope[k - 1]) / (slope[k] - slope[k - 1])
        seen[hit, column] = steps[k - 1] + part * (steps[k] - steps[k - 1])
    return seen


def add_mountains(sky: Floats) -> None:
    """Draw the mountains, with woods, snow, twilight and haze, over the sky."""
    distance = distance_seen()
    rows, columns = np.nonzero(np.isfinite(distance))
    z, az = distance[rows, columns], AZIMUTH[0, columns]
    x, height = az * z, ELEVATION[rows, 0] * z
    step = z / FOCAL * 1.5 + 2  # a little more than a pixel, to measure the slope
    here = ground(x, z, 12)
    dx = (ground(x + step, z, 12) - here) / step
    dz = (ground(x, z + step, 12) - here) / step
    up = 1 / np.sqrt(1 + dx * dx + dz * dz)  # 1 on level ground, 0 on a wall
    lit = np.clip((0.25 - 0.8 * dz - 0.5 * dx) * up, 0, 1)  # faces the afterglow
    light = up[:, None] * rgb(0.17, 0.20, 0.34) + lit[:, None] * rgb(0.55, 0.30, 0.22)
    patchy = 0.5 * fractal(x / 300, z / 300, 6)
    wood = smoothstep(900, 300, height + 400 * patchy)
    snow = smoothstep(0.50, 0.72, up + 0.25 * patchy)
    snow *= smoothstep(700, 1500, height + 500 * patchy)
    colour = mix(rgb(0.10, 0.09, 0.09), rgb(0.022, 0.030, 0.024), wood)
    colour *= (1 + 0.4 * fractal(x / 40, z / 40, 4))[:, None]
    colour = mix(colour, rgb(0.80, 0.82, 0.88), snow)
    haze = mix(rgb(0.16, 0.165, 0.27), rgb(0.80, 0.42, 0.26), near_sun(az, 0.22))
    clear = np.exp(-z / 17000 * (0.45 + 1.1 * np.exp(-height / 500)))
    sky[rows, columns] = mix(haze, colour * light, clear)


def fir(height: int) -> NDArray[np.bool_]:
    """Return the silhouette of one fir tree."""
    t = np.linspace(0, 1, height)[:, None]  # 0 at the top, 1 at the foot
    x = np.arange(-(height // 3), height // 3 + 1)[None, :]
    droop = RNG.uniform(0, 0.2, x.shape)
    whorls = 0.60 + 0.40 * ((t * RNG.uniform(9, 14) + droop) % 1)
    ragged = RNG.uniform(0.6, 1.1, (height, x.shape[1]))
    reach = RNG.uniform(0.16, 0.24) * height * t**0.85
    return np.asarray(np.abs(x) < reach * whorls * ragged + 0.004 * height)


def grow_trees(count: int = 420) -> list[Tree]:
    """Grow the trees of a wooded point on the left, the farthest first."""
    trees: list[Tree] = []
    for nearness in np.linspace(0, 1, count, dtype=np.float32):
        along = RNG.beta(0.8, 1.5)  # 0 at the edge of the picture, 1 at the tip
        rise = 0.030 * (1 - along) * (1 - float(nearness)) * FOCAL
        size = RNG.uniform(0.018, 0.060) * (1.05 - along) ** 0.6 * FOCAL
        colour = mix(rgb(0.030, 0.031, 0.042), rgb(0.006, 0.008, 0.008), nearness)
        column = int((0.40 * along - 0.01) * WIDTH)
        trees.append((column, int(rise), fir(max(6, int(size))), colour))
    return trees


def plant(image: Floats, trees: list[Tree], shore: int) -> None:
    """Draw the trees into the image, on a bank that meets the water at row shore."""
    for column, rise, shape, colour in trees:
        height, reach = shape.shape[0], shape.shape[1] // 2
        foot, left = shore - rise, max(0, column - reach)
        part = shape[:, left - column + reach :]
        image[foot - height : foot, left : left + part.shape[1]][part] = colour
        image[foot - 2 : shore, left : max(0, column + reach)] = colour


def ripples() -> tuple[Floats, Floats, Floats]:
    """Return slopes of the water: across, along, and of waves too small to see."""
    z = EYE / DOWN + 0 * AZIMUTH
    x, pixel = AZIMUTH * z, z / (DOWN * FOCAL)  # length of water in one pixel
    wind = 0.5 + 1.4 * smoothstep(-0.5, 0.9, fractal(x / 50, z / 16 + 3, 4))
    across, along, lost = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    wave_x, wave_z, steep = x / 7, z / 3.2, 0.003
    for octave in range(7):
        _, dx, dz = noise(wave_x, wave_z)
        seen = smoothstep(0.5, 3.0, 3.2 / 1.9**octave / pixel)
        across += steep * dx * seen
        along += steep * dz * seen
        lost += steep * (1 - seen)
        turned = 1.9 * wave_z - 0.23 * wave_x + 3.7  # again, not to line up
        wave_x, wave_z = 1.9 * wave_x + 0.23 * wave_z + 7.1, turned
    return across * wind, along * wind, lost * wind


def water(above: Floats, samples: int = 6) -> Floats:
    """Return the lake, in which the rows above the horizon are reflected."""
    across, along, lost = ripples()
    total = np.zeros((*across.shape, 3), np.float32)
    column = np.arange(WIDTH) + 8 * across * DOWN * FOCAL
    column = np.clip(column, 0, WIDTH - 1).astype(np.int32)
    for _ in range(samples):
        slope = along + lost * RNG.standard_normal(along.shape, np.float32)
        row = HORIZON - 1 - np.abs(DOWN + 2 * slope) * FOCAL
        total += above[np.clip(row, 0, HORIZON - 1).astype(np.int32), column]
    # Schlick's formula for reflection, softened: steep views see into the lake.
    mirrored = 0.03 + 0.97 * (1 - np.clip(DOWN + along, 0, 1)) ** 4
    return mix(rgb(0.008, 0.020, 0.030), total / samples, mirrored)


def develop(light: Floats) -> NDArray[np.uint8]:
    """Turn light into an 8-bit photograph: lens, film curve and grain."""
    light[:, 1:-1] = 0.6 * light[:, 1:-1] + 0.2 * (light[:, 2:] + light[:, :-2])
    light[1:-1] = 0.6 * light[1:-1] + 0.2 * (light[2:] + light[:-2])
    y = (np.arange(HEIGHT, dtype=np.float32)[:, None] - HEIGHT / 2) / FOCAL
    light *= (1.4 / (1 + 1.3 * (AZIMUTH**2 + y**2)) ** 2)[..., None]  # vignetting
    # Narkowicz's fit of the ACES film curve, gamma, and a print of harder contrast.
    film = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    picture = np.clip(film, 0, 1) ** (1 / 2.2)
    picture = 0.6 * picture + 0.4 * smoothstep(0, 1, picture)
    grain = RNG.standard_normal((HEIGHT, WIDTH, 1), np.float32)
    grain[1:, 1:] = 0.7 * grain[1:, 1:] + 0.3 * (grain[:-1, 1:] + grain[1:, :-1])
    grain = grain + 0.35 * RNG.standard_normal(picture.shape, np.float32)
    picture += (0.025 - 0.010 * picture.mean(axis=2, keepdims=True)) * grain
    return np.asarray(np.clip(picture * 255 + 0.5, 0, 255), np.uint8)


def main() -> None:
    """Make the photograph and write it to the file named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python make_photograph.py OUTPUT.jpg")
    above = add_clouds(clear_sky())
    add_mountains(above)
    trees = grow_trees()
    drop = round(EYE / 480 * FOCAL)  # the wooded point is 480 m away
    mirror = above.copy()  # what a camera as far under the lake would see
    plant(mirror, trees, HORIZON - drop)
    scene = np.concatenate([above, water(mirror)])
    plant(scene, trees, HORIZON + drop)
    picture = Image.fromarray(develop(scene))
    picture.save(sys.argv[1], "JPEG", quality=JPEG_QUALITY, subsampling=0)


if __name__ == "__main__":
    main()
