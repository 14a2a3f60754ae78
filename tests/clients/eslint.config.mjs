// The lint of the committed schema: what graphql-eslint recommends, and Relay's rules. Run from the repository's root.
import graphql from "@graphql-eslint/eslint-plugin";
import { readFileSync } from "node:fs";
import { buildSchema } from "graphql";

const SCHEMA = "schema.graphql";

const schema = buildSchema(readFileSync(SCHEMA, "utf8"));
const errors = schema.getImplementations(schema.getType("Error")).objects.map((type) => type.name);

const exceptions = {
  // An id is for what can be found again with `node`.
  "@graphql-eslint/strict-id-in-types": [
    "error",
    {
      exceptions: {
        types: [
          ...errors, // a failure is an answer, not a thing: the ids in it are those of what it is about
          "Diff", // what changed between two states with ids
          "DiffPart", // a part of it
          "EnsuredSectionChat", // what one of many ensures did; its section and its chat have ids
          "Examination", // an answer of the doctor
          "Finding", // what it says of things with ids, until they are right
          "InputViolation", // a part of a failure
          "PageInfo", // Relay's own: a part of a page
          "Purged", // what is gone for good
          "Rights", // what the caller may do with a thing that has an id
          "SectionChatOpened", // an event, told once; its chat has an id
          "Viewer", // who is asking, in this very request; its user and its workspace have ids
        ],
        suffixes: [
          "Connection", // Relay's own: a page, whose cursors name it
          "Edge", // Relay's own: its node has the id
          "Success", // an answer to a mutation: what it has in it has the id
        ],
      },
    },
  ],
  // Documents and sections are read in one direction; Relay asks for one or both, and messages have both.
  "@graphql-eslint/relay-arguments": ["error", { includeBoth: false }],
  // `nodes(ids:)` is the plural of `node`, as Relay has it: as many answers as ids, hence no pages.
  "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }],
};

export default [
  {
    files: [SCHEMA],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: SCHEMA } } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...graphql.configs["flat/schema-recommended"].rules,
      ...graphql.configs["flat/schema-relay"].rules,
      ...exceptions,
    },
  },
];
