"""What the guest says of its kernel, from the kernel's own texts."""

from warily.guest.state import listeners, lockdown

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2
   2: 0F02000A:C350 6402000A:1F90 01 00000000:00000000 00:00000000 00000000     0        0 3
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A
   1: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A
"""


def test_listening_ports_are_found_and_connections_are_not() -> None:
    assert listeners(TCP) == {"127.0.0.1:8080", "0.0.0.0:22"}
    assert listeners(TCP6) == {"[::]:80", "[::1]:81"}
    assert listeners("") == set()


def test_the_mode_of_lockdown_is_the_one_in_brackets() -> None:
    assert lockdown("none integrity [confidentiality]") == "confidentiality"
    assert lockdown("[none] integrity confidentiality") == "none"
    assert lockdown("") == "none"
