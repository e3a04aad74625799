import type { ResolverSettings } from './agent-file.ts';

/** Where nobody named others. */
export const defaultResolvers: ResolverSettings = {
  servers: ['tls://9.9.9.9:853#dns.quad9.net'],
  secureName: '.',
  bogusName: 'dnssec-failed.org',
};
