// The executor of GraphQL Tools: by POST, and by GET as it takes subscriptions unless it is told otherwise.
import { buildHTTPExecutor } from "@graphql-tools/executor-http";
import { parse } from "graphql";
import { ENDPOINT, PREFLIGHT, by, speaks } from "./marginalia.mjs";

const post = buildHTTPExecutor({ endpoint: ENDPOINT, fetch: by("POST"), method: "POST" });
const get = buildHTTPExecutor({ endpoint: ENDPOINT, fetch: by("GET"), useGETForQueries: true, headers: PREFLIGHT });

const once = (execute) => (operation, variables) => execute({ document: parse(operation), variables });

/** Hand the results of a stream to a sink; a result that is no stream is that of an operation that was refused. */
const stream = (execute) => (operation, variables, sink) => {
  const results = once(execute)(operation, variables);
  const pumped = pump(results, sink);
  return async () => {
    await (await results).return?.();
    await pumped;
  };
};

async function pump(results, sink) {
  try {
    const stream = await results;
    if (stream.errors) return sink.error(stream.errors);
    for await (const result of stream) sink.next(result);
    sink.complete();
  } catch (error) {
    sink.error(error);
  }
}

speaks("executor-http by POST", { query: once(post), mutate: once(post), subscribe: stream(post) });
speaks("executor-http by GET", { query: once(get), subscribe: stream(get) });
