"""`python -m engine explain SCHEMA OPERATION`: shows how an operation is executed."""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import cast

from graphql import GraphQLSchema, build_schema

from engine.complexity import Limits
from engine.explanation import explain
from engine.operation_cache import OperationCache
from engine.prepared_operation import Refused


def main() -> None:
    """Print the explanation, or on standard error why the operation is refused."""
    parser = argparse.ArgumentParser(prog="python -m engine")
    command = parser.add_subparsers(required=True).add_parser("explain", help=explain.__doc__)
    command.add_argument("schema", help="a file with a schema, or module:function that returns a GraphQLSchema")
    command.add_argument("operation", help="a file with an operation, or - for standard input")
    command.add_argument("--name", help="the name of the operation, if the file has several")
    asked = parser.parse_args()
    text = sys.stdin.read() if asked.operation == "-" else Path(asked.operation).read_text()
    try:
        operation = OperationCache(_schema(asked.schema), Limits()).find(text, asked.name)
    except Refused as refused:
        sys.exit("\n".join(str(error) for error in refused.errors))
    sys.stdout.write(explain(operation))


def _schema(name: str) -> GraphQLSchema:
    module, _, function = name.partition(":")
    if function:
        return cast(GraphQLSchema, getattr(import_module(module), function)())
    return build_schema(Path(name).read_text())


if __name__ == "__main__":
    main()
