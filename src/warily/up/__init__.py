"""`warily up`: the one place where image, launch, service and posture meet."""
