"""The tree of names that a set of tables defines, and how a name is looked up in it.

Source: ACPI 6.5, 5.3 ACPI Namespace and 20.2.2 Name Objects Encoding.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from warily.formats.aml.terms import AmlError, NamePath, Term

MAX_DEPTH: Final = 255
"""Segments from the root. Real tables stay below 12."""
_STEPS: Final = 8


class Definition(NamedTuple):
    """One place that defines a name: which table, the term, and for a field's part which."""

    table: int
    term: Term
    part: int = 0


class Node:
    """A name, what defined it, and the names below it."""

    __slots__ = ("alias", "arity", "children", "definitions", "depth", "dynamic", "kind", "known", "name", "parent")

    def __init__(self, name: str, parent: "Node | None") -> None:
        self.name: Final = name
        self.parent: Final = parent
        self.depth: Final[int] = parent.depth + 1 if parent else 0
        self.children: dict[str, Node] = {}
        self.kind: str | None = None
        self.arity: int | None = None
        self.alias: tuple[Node, NamePath] | None = None
        self.dynamic: bool = parent.dynamic if parent else False
        self.definitions: list[Definition] = []
        self.known: str | None = None

    @property
    def path(self) -> str:
        """Absolute, as iasl writes it: trailing underscores of a segment left out."""
        if self.known is None:
            self.known = self._path()
        return self.known

    def _path(self) -> str:
        parts = []
        node = self
        while node.parent is not None:
            parts.append(node.name.rstrip("_") or "_")
            node = node.parent
        return "\\" + ".".join(reversed(parts))

    def child(self, name: str, offset: int) -> "Node":
        """The node of that name below this one, made if it is not there."""
        found = self.children.get(name)
        if found is None:
            if self.depth >= MAX_DEPTH:
                raise AmlError("NESTING", offset, f"a name of over {MAX_DEPTH} segments")
            found = self.children[name] = Node(name, self)
            if self.kind == "Method":
                found.dynamic = True
        return found


class Namespace:
    """All names. It begins with those the specification predefines (5.3.1, 5.7)."""

    def __init__(self) -> None:
        self.root: Final = Node("", None)
        self.copied: Final[set[str]] = set()
        """Last segments of names that a CopyObject puts something else behind."""
        self.called: Final[set[Node]] = set()
        """Methods that some term calls."""
        self.elsewhere: Final[set[Node]] = set()
        """Parts of fields of which a table says that another has them."""
        self.ambiguous: Final[set[Node]] = set()
        """Methods that are defined with different numbers of arguments."""
        self._met: Final[set[Node]] = set()
        self.settled = False
        self._targets: Final[dict[Node, Node]] = {}
        self._nested = 0
        self._aliases: Final[dict[Node, list[str]]] = {}
        for name in ("_SB_", "_SI_", "_TZ_", "_GPE", "_PR_"):
            self.root.child(name, 0).kind = "Scope"
        self.root.child("_GL_", 0).kind = "Mutex"
        for name, arity in (("_OSI", 1), ("_OS_", None), ("_REV", None)):
            node = self.root.child(name, 0)
            node.kind, node.arity = "Predefined", arity

    def declare(self, scope: Node, name: NamePath, offset: int) -> Node:
        """The node that `name` defines when it stands in `scope`; made if it is not there."""
        node = self._start(scope, name)
        for part in name.parts:
            node = self._inside(node).child(part, offset)
        return node

    def open(self, scope: Node, name: NamePath, offset: int) -> Node:
        """The node whose scope `Scope (name)` opens: an existing one, else made."""
        return self._inside(self.find(scope, name) or self.declare(scope, name, offset))

    def find(self, scope: Node, name: NamePath) -> Node | None:
        """What `name` means in `scope`. A single segment without prefix is searched up to the root (5.3)."""
        node: Node | None = self._start(scope, name)
        if len(name.parts) == 1 and not name.root and not name.ups:
            wanted = name.parts[0]
            while node is not None:
                found = node.children.get(wanted)
                if found is not None:
                    return found
                node = node.parent
            return None
        for part in name.parts:
            if node is None:
                return None
            node = self._inside(node).children.get(part)
        return node

    def _inside(self, node: Node) -> Node:
        """Where the names below `node` are: an alias has those of what it stands for."""
        if node.alias is None or not self.settled or self._nested >= MAX_DEPTH // 4:
            return node
        self._nested += 1
        found = self.target(node)
        self._nested -= 1
        return found

    def target(self, node: Node) -> Node:
        """What an alias stands for in the end, or the node itself; of aliases in a circle, some one of them."""
        if node.alias is None:
            return node
        if not self.settled:
            return self._near(node)
        passed = []
        while node.alias is not None and node not in self._targets:
            self._targets[node] = node
            passed.append(node)
            node = self.find(*node.alias) or node
        end = self._targets.get(node, node)
        self._targets.update(dict.fromkeys(passed, end))
        return end

    def _near(self, node: Node) -> Node:
        """Likewise while names are still being collected, when nothing can be kept: a few steps only."""
        for _ in range(_STEPS):
            found = self.find(*node.alias) if node.alias is not None else None
            if found is None:
                return node
            node = found
        return node

    def settle(self) -> None:
        """All names are collected: from now on what an alias stands for is looked up once."""
        self.settled = True

    def method(self, scope: Node, name: NamePath) -> Node | None:
        """The method that `name` calls; None when it is none, or unknown."""
        found = self.find(scope, name)
        if found is not None and found.alias is not None:
            found = self.target(found)
        return found if found is not None and found.arity is not None else None

    def start_round(self) -> None:
        """All tables are read once more, from the first on."""
        self._met.clear()

    def meet(self, node: Node, arity: int) -> None:
        """A definition of the method `node`. Kernels keep the one they meet first, whatever others say."""
        if node not in self._met:
            self._met.add(node)
            node.arity = arity
        elif node.arity != arity:
            self.ambiguous.add(node)

    def alias(self, node: Node, scope: Node, name: NamePath) -> None:
        """`node` is another name for what `name` means in `scope`."""
        node.alias = (scope, name)

    def aliases_of(self, node: Node) -> list[str]:
        """The last segments of all other names for `node`. Ask only when everything is declared."""
        if not self._aliases:
            self._aliases[self.root] = []
            for each in self.nodes():
                if each.alias is not None:
                    self._aliases.setdefault(self.target(each), []).append(each.name)
        return self._aliases.get(node, [])

    def forget(self, table: int) -> None:
        """No definition of that table is known any more; the names stay."""
        for node in self.nodes():
            node.definitions = [each for each in node.definitions if each.table != table]

    def nodes(self) -> Iterator[Node]:
        """Every node, parents first, in the order of definition."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children.values()))

    def _start(self, scope: Node, name: NamePath) -> Node:
        if name.root:
            return self.root
        node = scope
        for _ in range(name.ups):
            node = node.parent or node
        return node
