// An OpenID Connect issuer for the tests: real keys, real tokens, one client.

import { createServer } from 'node:http';

import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const keys = [];
for (const [alg, kid] of [['RS256', 'rsa'], ['ES256', 'ec']]) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  keys.push({ ...(await exportJWK(privateKey)), kid, alg, use: 'sig' });
}

const provider = new Provider(issuer, {
  jwks: { keys },
  clients: [
    { client_id: 'ann', client_secret: 'a-secret-of-the-tests', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
  ],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, resource) => ({
        scope: '',
        audience: 'marginalia',
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: resource.endsWith('/ec') ? 'ES256' : 'RS256' } },
      }),
    },
  },
  extraTokenClaims: () => ({ name: 'Ann of the issuer', tenant: 'local', roles: ['COMMENTER', 'others'] }),
});
server.on('request', provider.callback());
console.log(`Issuer ${issuer}`);
