// Executes a document on objects in memory with graphql-js and graphql-jit; ../execution.py sends the job as JSON.
import { readFileSync } from 'node:fs';
import { buildSchema, execute, parse, validate } from 'graphql';
import { compileQuery } from 'graphql-jit';
import { typeDefs } from './schema.mjs';

const { text, sizes, seconds } = JSON.parse(readFileSync(0, 'utf8'));
const schema = buildSchema(typeDefs);
const operation = parse(text);
const errors = validate(schema, operation);
if (errors.length) throw errors[0];
const compiled = compileQuery(schema, operation);

const section = (number) => ({
  id: `sec_${number}`,
  title: `Section ${number}`,
  level: 2,
  chat: { id: `chat_${number}`, messageCount: number },
});
const root = (size) => ({
  document: {
    id: 'doc_1',
    title: 'Document',
    sections: {
      edges: Array.from({ length: size }, (_, number) => ({ node: section(number) })),
      pageInfo: { hasNextPage: false },
    },
  },
});

const engines = {
  'graphql-js': (rootValue, variableValues) => execute({ schema, document: operation, rootValue, variableValues }),
  'graphql-jit': (rootValue, variableValues) => compiled.query(rootValue, {}, variableValues),
};

// Returns the answer, and the median time of an execution, measured over some milliseconds at a time.
function measured(run) {
  const answer = JSON.stringify(run());
  const times = [];
  const end = performance.now() + seconds * 1000;
  do {
    const started = performance.now();
    const count = Math.max(1, Math.ceil((times.at(-1) ?? 0) && 5 / times.at(-1)));
    for (let n = 0; n < count; n++) run();
    times.push((performance.now() - started) / count);
  } while (performance.now() < end);
  times.sort((one, other) => one - other);
  return { microseconds: times[times.length >> 1] * 1000, answer };
}

const results = Object.fromEntries(
  Object.entries(engines).map(([name, run]) => [
    name,
    sizes.map((size) => {
      const rows = root(size);
      return measured(() => run(rows, { id: 'doc_1', first: size }));
    }),
  ]),
);
console.log(JSON.stringify(results));
