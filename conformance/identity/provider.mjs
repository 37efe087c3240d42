// An identity provider on loopback: the npm package oidc-provider, with its own pages for logging in.
// Usage: node provider.mjs PORT REDIRECT_URI GROUPS   (GROUPS is a JSON file with the groups of each user, which tests
// change; OIDC_PROVIDER is the folder that oidc-provider is installed in)
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [port, redirect, groups] = process.argv.slice(2);
const require = createRequire(`${process.env.OIDC_PROVIDER}/package.json`);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const claims = (id) => ({
  sub: id,
  preferred_username: id,
  name: `The one called ${id}`,
  groups: JSON.parse(readFileSync(groups))[id] ?? [],
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'stele',
    client_secret: 'of the test',
    redirect_uris: [redirect],
    grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
  }],
  claims: { openid: ['sub'], profile: ['preferred_username', 'name', 'groups'], email: ['email'] },
  features: { devInteractions: { enabled: true }, deviceFlow: { enabled: true } },
  pkce: { required: () => true, methods: ['S256'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => claims(id) }),
});
provider.on('server_error', (_, error) => console.error(error));
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
