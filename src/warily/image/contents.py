"""What goes into every image, named one by one: nothing is taken in by accident.

The initial RAM file system holds one Python interpreter, these standard modules, these parts of warily
and these kernel modules. There is no shell and no other program in it.
"""

from typing import Final

# Where the guest's part of warily lies, in the root and in the initial RAM file system alike.
GUEST_HOME: Final = "usr/lib/warily"

# Parts of this package that the root holds, relative to the package. `release/grant.py` opens a grant.
GUEST_SOURCES: Final = (
    "__init__.py",
    "errors.py",
    "formats/__init__.py",
    "formats/_cursor.py",
    "formats/_json.py",
    "formats/_layout.py",
    "formats/_record.py",
    "formats/cmw.py",
    "formats/dm_integrity.py",
    "formats/dm_ioctl.py",
    "formats/dm_tables.py",
    "formats/guest_config.py",
    "formats/guest_state.py",
    "formats/loop_ioctl.py",
    "formats/snp_guest_message.py",
    "formats/tsm_report.py",
    "formats/volume_descriptor.py",
    "guest/__init__.py",
    "guest/agent.py",
    "guest/broker.py",
    "guest/clock.py",
    "guest/devices.py",
    "guest/dm.py",
    "guest/epoch.py",
    "guest/evidence.py",
    "guest/init.py",
    "guest/kernel.py",
    "guest/lease.py",
    "guest/loop.py",
    "guest/network.py",
    "guest/processor.py",
    "guest/refusal.py",
    "guest/state.py",
    "guest/volume.py",
    "guest/volume_memory.py",
    "guest/volume_stack.py",
    "guest/words.py",
    "release/__init__.py",
    "release/binding.py",
    "release/grant.py",
    "release/messages.py",
)

# Parts of this package that the first program needs.
BOOT_SOURCES: Final = (
    "__init__.py",
    "errors.py",
    "formats/__init__.py",
    "formats/_json.py",
    "formats/_layout.py",
    "formats/_record.py",
    "formats/dm_ioctl.py",
    "formats/dm_tables.py",
    "formats/guest_config.py",
    "formats/guest_state.py",
    "guest/__init__.py",
    "guest/devices.py",
    "guest/dm.py",
    "guest/init.py",
    "guest/kernel.py",
    "guest/refusal.py",
    "guest/words.py",
)

# Standard modules that the first program imports, directly or not, beyond those frozen into the interpreter.
STANDARD_MODULES: Final = (
    "_ctypes",
    "_opcode_metadata",
    "_weakrefset",
    "ast",
    "base64",
    "collections",
    "contextlib",
    "copy",
    "copyreg",
    "ctypes",
    "ctypes._endian",
    "dataclasses",
    "dis",
    "encodings",
    "encodings.aliases",
    "encodings.utf_8",
    "enum",
    "fnmatch",
    "functools",
    "glob",
    "importlib",
    "inspect",
    "json",
    "json.decoder",
    "json.encoder",
    "json.scanner",
    "keyword",
    "linecache",
    "opcode",
    "operator",
    "os",
    "pathlib",
    "pathlib._abc",
    "pathlib._local",
    "re",
    "re._casefix",
    "re._compiler",
    "re._constants",
    "re._parser",
    "reprlib",
    "struct",
    "token",
    "tokenize",
    "types",
    "typing",
    "warnings",
    "weakref",
)

# Kernel modules for every boot, loaded in this order, each after what it depends on. One that the kernel has
# built in is passed over. Crypto templates are named, since nothing can be loaded once the latch is closed.
KERNEL_MODULES: Final = (
    "virtio_blk",
    "virtio_net",
    "virtio_console",
    "dm-mod",
    "dm-verity",
    "sha256-ssse3",
    "erofs",
    "aesni-intel",
    "xts",
    "authenc",
    "hmac",
    "loop",
    "dm-crypt",
    "dm-integrity",
    "dm-mirror",
    "ext4",
    "configfs",
    "tsm",
)

# Drivers of processors that may not be there.
OPTIONAL_KERNEL_MODULES: Final = ("sev-guest", "tdx-guest")
