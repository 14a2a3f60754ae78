// The audits of GraphQL over HTTP: every one has to be a plain yes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { auditServer } from "graphql-http";
import { ENDPOINT } from "./marginalia.mjs";

test("audits", { timeout: 60_000 }, async (context) => {
  const results = await auditServer({ url: ENDPOINT, fetchFn: fetch });
  const bad = results.filter((result) => result.status !== "ok");
  context.diagnostic(`${results.length - bad.length} of ${results.length} audits are ok`);
  assert.deepEqual(bad.map(({ id, name, status, reason }) => ({ id, name, status, reason })), []);
  assert.equal(results.length, 61);
});
