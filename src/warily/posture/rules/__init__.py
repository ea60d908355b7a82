"""One file a component: from facts and an adversary to a cell. Pure, and each says what stays open."""
