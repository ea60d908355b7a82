"""The lab that attacks: published host-side attacks, mounted in an emulator against an image."""
