"""The only code that touches processes, devices, files of the user and the clock."""
