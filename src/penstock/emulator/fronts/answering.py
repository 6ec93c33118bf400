"""What the fronts share about bodies on their way to a client."""

from __future__ import annotations

from typing import Final

#: The statuses of answers that have no body.
BODILESS: Final = (204, 304)

#: What to do about cuts that nobody sees.
END_MARK: Final = "only an end mark in the body itself tells a client for certain that it is whole"
