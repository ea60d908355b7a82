"""The meaning of a measurement, in the formats and logs that others read."""
