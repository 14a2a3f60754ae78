// Mercurius on Fastify: each operation is compiled by graphql-jit at its second request.
import Fastify from 'fastify';
import mercurius from 'mercurius';
import { Data } from './data.mjs';
import { schema } from './schema.mjs';
import { announce } from './serve.mjs';

const app = Fastify({ logger: false });
const events = {
  publish: (topic, payload) => app.graphql.pubsub.publish({ topic, payload }),
  subscribe: (topic, { pubsub }) => pubsub.subscribe(topic),
};
const context = () => ({ data: new Data(), events });
await app.register(mercurius, {
  schema,
  jit: 1,
  graphiql: false,
  context,
  subscription: { context },
});
await app.listen({ host: '127.0.0.1', port: 0 });
announce(app.server);
