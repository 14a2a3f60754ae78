// What each peer does at its start and at its end, as our server does.
export function announce(server) {
  console.log(`GraphQL   http://127.0.0.1:${server.address().port}/graphql`);
  process.on('SIGTERM', () => process.exit(0));
}
