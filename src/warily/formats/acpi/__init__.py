"""Static ACPI tables as typed parts: one file a family. What each signature means: `known`."""
