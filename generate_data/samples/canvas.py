"""The parts of a sample face: a person, a head pose, a canvas with anti-aliasing, and a camera.

Polygons are drawn four times too large and averaged down to 48x48. That image is then multiplied by
a sum of soft blobs (wrinkles, folds, cheeks). Face coordinates: x to the right, y down, in half
face heights, the eyes near y = -0.15 and the mouth near y = 0.52. Points are on an ellipsoid that
is rotated by yaw, pitch and roll, so that a turned face is foreshortened like a real one.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike

SIZE = 48
OVERSAMPLING = 4
_FIXED_POINT_BITS = 4
_HAIR_CHANCES = [0.27, 0.18, 0.14, 0.17, 0.1, 0.08, 0.06]
_STEPS = np.linspace(0.0, 1.0, 9)
_BOW = 4 * _STEPS * (1 - _STEPS)
_CIRCLE = np.stack(
    [np.cos(np.linspace(0, 2 * np.pi, 24)), np.sin(np.linspace(0, 2 * np.pi, 24))], axis=1
)
_ROWS = np.arange(SIZE, dtype=np.float32) + 0.5


class Identity:
    """What does not depend on the expression: shape, tones (0 to 255), hair and age.

    Lengths are in face coordinates.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.skin = rng.uniform(85.0, 215.0)
        self.hair = rng.uniform(12.0, 75.0) if rng.random() < 0.75 else rng.uniform(75.0, 210.0)
        self.width = rng.uniform(0.68, 0.84)
        self.jaw = rng.uniform(1.7, 2.7)
        self.chin = rng.uniform(0.92, 1.06)
        self.age = rng.beta(1.2, 2.2)
        self.eye_x, self.eye_y = rng.uniform(0.32, 0.40), rng.normal(-0.15, 0.02)
        self.eye_size, self.eye_slant = rng.uniform(0.82, 1.2), rng.normal(0.0, 0.012)
        self.iris = rng.uniform(0.15, 0.55)
        self.brow_y, self.brow_tilt = rng.normal(-0.37, 0.022), rng.normal(0.0, 0.022)
        self.brow_arch, self.brow_width = rng.uniform(0.02, 0.07), rng.uniform(0.022, 0.055)
        self.nose_y, self.nose_width = rng.normal(0.24, 0.025), rng.uniform(0.09, 0.145)
        self.mouth_y, self.mouth_width = rng.normal(0.53, 0.025), rng.uniform(0.22, 0.30)
        self.mouth_rest = rng.normal(0.0, 0.012)
        self.lips = rng.uniform(0.7, 1.5)
        self.lip_tone = rng.uniform(0.58, 0.92)
        self.hair_style = rng.choice(
            ["short", "part", "fringe", "long", "curly", "bald", "hat"], p=_HAIR_CHANCES
        )
        self.beard = rng.choice(["none", "stubble", "moustache", "full"], p=[0.72, 0.1, 0.09, 0.09])
        self.brow_tone = np.clip(
            0.75 * min(self.hair, 110.0) + rng.uniform(0, 0.3) * self.skin, 10, self.skin * 0.75
        )


class Pose:
    """The pose of the head: converts face coordinates (points, 2) to pixels of the 48x48 image."""

    def __init__(self, rng: np.random.Generator) -> None:
        yaw, pitch, roll = np.clip(rng.normal(0.0, [0.22, 0.13, 0.11]), -0.55, 0.55)
        self.cos_sin = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        self.yaw = yaw
        self.scale = rng.uniform(24.0, 30.0)
        self.rotation = (
            np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]]) * self.scale
        )
        self.center = np.array([24.0, 25.0]) + np.clip(rng.normal(0.0, 1.4, 2), -3.5, 3.5)

    def project(
        self,
        points: np.ndarray,
        height: np.ndarray | float = 0.0,
        on_face: np.ndarray | float = 1.0,
    ) -> np.ndarray:
        """Converts face coordinates to pixels.

        Args:
            points: (points, 2) face coordinates.
            height: distance above the face, as for the nose.
            on_face: 1 for points on the face, 0 for points in the plane of its outline.

        Returns:
            (points, 2) pixels, x and y.
        """
        x, y = points[:, 0], points[:, 1]
        depth = (
            height
            - 0.15
            + on_face * (0.72 * np.sqrt(np.maximum(0.0, 1.0 - x * x - y * y / 1.69)) - 0.35)
        )
        cos_yaw, sin_yaw, cos_pitch, sin_pitch = self.cos_sin
        turned = np.empty((len(points), 2))
        turned[:, 0] = x * cos_yaw + depth * sin_yaw
        turned[:, 1] = y * cos_pitch + depth * sin_pitch
        return turned @ self.rotation + self.center


class Sketch:
    """A large canvas for polygons, and a list of soft blobs that `finish` applies to the image."""

    def __init__(self, pose: Pose, background: float) -> None:
        self.pose = pose
        side = SIZE * OVERSAMPLING
        self.canvas = np.full((side, side), np.uint8(background))
        self.blobs: list[np.ndarray] = []

    def _fixed(self, points: np.ndarray, **where: float) -> np.ndarray:
        large = self.pose.project(points, **where) * (OVERSAMPLING << _FIXED_POINT_BITS)
        return np.rint(large).astype(np.int32)

    def fill(self, points: np.ndarray, tone: float, **where: float) -> None:
        """Fills a polygon with a tone from 0 to 255; `where` are arguments of `Pose.project`."""
        tone = float(min(max(tone, 0.0), 255.0))
        cv2.fillPoly(
            self.canvas, [self._fixed(points, **where)], tone, cv2.LINE_AA, _FIXED_POINT_BITS
        )

    def line(self, points: np.ndarray, tone: float, width: float, **where: float) -> None:
        """Draws a line; `width` is in pixels of the small image."""
        thickness = max(1, round(width * OVERSAMPLING))
        tone = float(min(max(tone, 0.0), 255.0))
        fixed = self._fixed(points, **where)
        cv2.polylines(self.canvas, [fixed], False, tone, thickness, cv2.LINE_AA, _FIXED_POINT_BITS)

    def ellipse(
        self, center: tuple[float, float], radii: tuple[float, float], tone: float, **where: float
    ) -> None:
        """Fills an ellipse."""
        self.fill(_CIRCLE * radii + center, tone, **where)

    def soft(
        self,
        points: ArrayLike,
        strength: float,
        sigma: float,
        height: float = 0.0,
        on_face: float = 1.0,
    ) -> None:
        """Adds Gaussian blobs.

        Args:
            points: (points, 2) centers, in face coordinates.
            strength: what each adds to the logarithm of the image.
            sigma: their standard deviation, in face coordinates.
            height: see `Pose.project`.
            on_face: see `Pose.project`.
        """
        if abs(strength) < 0.01:
            return
        centers = np.asarray(points)
        blob = np.empty((len(centers), 6))
        blob[:, :2], blob[:, 2:] = centers, (height, on_face, strength, sigma)
        self.blobs.append(blob)

    def fold(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        strength: float,
        sigma: float = 0.022,
        bend: float = 0.0,
    ) -> None:
        """Adds a wrinkle from start to end; `bend` curves it sideways."""
        if abs(strength) < 0.01:
            return
        (x0, y0), (x1, y1) = start, end
        points = np.empty((len(_STEPS), 2))
        points[:, 0] = x0 + (x1 - x0) * _STEPS + (y0 - y1) * bend * _BOW
        points[:, 1] = y0 + (y1 - y0) * _STEPS + (x1 - x0) * bend * _BOW
        # Blobs that overlap add up: a short wrinkle would become darker than a long one.
        overlap = min(1.0, 0.06 + abs(x1 - x0) + abs(y1 - y0)) / 0.3
        self.soft(points, strength * min(1.0, 0.35 + 0.65 * overlap), sigma)

    def finish(self) -> np.ndarray:
        """Returns the small image, float32 (48, 48), with the soft blobs applied.

        Gaussians are separable, so one matrix product adds all of them.
        """
        small = cv2.resize(self.canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(
            np.float32
        )
        blobs = np.concatenate(self.blobs)
        placed = self.pose.project(blobs[:, :2], blobs[:, 2], blobs[:, 3]).astype(np.float32)
        strength, width = (
            blobs[:, 4:5].astype(np.float32),
            blobs[:, 5:6].astype(np.float32) * np.float32(self.pose.scale),
        )
        across = np.exp(-0.5 * ((_ROWS - placed[:, :1]) / width) ** 2)
        down = np.exp(-0.5 * ((_ROWS - placed[:, 1:]) / width) ** 2)
        return small * np.exp(np.clip((down * strength).T @ across, -1.2, 0.5))


def light(image: np.ndarray, pose: Pose, rng: np.random.Generator) -> np.ndarray:
    """Applies Lambertian shading of an ellipsoid under one lamp to a float32 (48, 48) image."""
    x = np.clip((_ROWS - pose.center[0]) / (pose.scale * 0.95), -1.0, 1.0)[None, :]
    y = np.clip((_ROWS - pose.center[1]) / (pose.scale * 1.2), -1.0, 1.0)[:, None]
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.65)
    lateral = np.cos(angle) * x + (0.6 * np.sin(angle) - 0.35) * y
    rim = rng.uniform(0.1, 0.35) * (x**2 + 0.5 * y**2)
    return image * np.exp(strength * lateral - rim).astype(np.float32)


def photograph(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Simulates a web photo: exposure, contrast, blur and grain; float32 (48, 48) to uint8."""
    blur = rng.choice([0.0, rng.uniform(0.3, 0.6), rng.uniform(0.6, 1.0)], p=[0.35, 0.45, 0.2])
    if blur > 0.0:
        image = cv2.GaussianBlur(image, (5, 5), blur)
    center, spread = image.mean(), image.std() + 1e-3
    image = (image - center) * (rng.uniform(30.0, 68.0) / spread) ** 0.7 + rng.uniform(80.0, 165.0)
    grain = rng.standard_normal(image.shape, dtype=np.float32) * min(rng.gamma(1.5, 2.0), 8.0)
    return np.clip(np.rint(image + grain), 0, 255).astype(np.uint8)
