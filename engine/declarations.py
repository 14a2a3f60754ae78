"""Declarations: what a schema tells the engine about its types and fields, in their extensions."""

ATTRIBUTE = "engine.attribute"
"""The key, in the extensions of a field, of the attribute that it reads; such a field has no arguments."""

BATCH = "engine.batch"
"""The key, in the extensions of a field, of a resolver that is called once with all parents of a level.

It is called as `resolver(info, parents, **arguments)` and returns one result for each parent, or an awaitable of them.
An exception among the results is an error of that parent's field.
"""

READS = "engine.reads"
"""The key, in the extensions of a field with a resolver, of the attributes that the resolver reads of its parents."""

CLASSES = "engine.classes"
"""The key, in the extensions of an object type, of the classes whose instances it shows."""
