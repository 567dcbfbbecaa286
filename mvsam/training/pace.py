"""How fast a run was, and how long all of SA-1B would take at that pace."""

from dataclasses import dataclass

SA1B_IMAGES = 11_185_362  # by the TensorFlow Datasets catalogue, segment_anything, split "train"


@dataclass
class Pace:
    """Samples of all processes together, and the time of their steps: without checkpoints and validation.

    Attributes:
        processes: each with a device of its own.
        samples: so far.
        seconds: that they took.
    """

    processes: int = 1
    samples: int = 0
    seconds: float = 0.0

    def add(self, samples: int, seconds: float) -> None:
        """Counts a step."""
        self.samples += samples
        self.seconds += seconds

    @property
    def samples_per_second(self) -> float:
        """0 before the first step."""
        return self.samples / self.seconds if self.seconds else 0.0

    def device_hours(self, samples: int) -> float:
        """Of so many samples at this pace, over all devices."""
        return samples / self.samples_per_second / 3600 * self.processes if self.samples else float("nan")

    def of_sa1b(self) -> str:
        """The estimate in words."""
        hours = self.device_hours(SA1B_IMAGES)
        return (
            f"{self.samples_per_second:.2f} samples/s over {self.samples} samples on {self.processes} device(s);"
            f" at this pace one pass over SA-1B's {SA1B_IMAGES:,} images takes {hours:,.0f} device-hours"
            " (an estimate from this run on this machine)"
        )
