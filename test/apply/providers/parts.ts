import type { ProviderParts } from '../../../src/apply/providers/index.ts';
import { createFakeKube } from '../../fakes/kube.ts';

/** What a provider is made with; nobody is asked for what stands but by the provider's own API, unless it is given. */
export const parts = (some: Partial<ProviderParts> = {}): ProviderParts => ({
  name: 'main',
  namespace: 'mailseal',
  kube: createFakeKube(),
  clock: { now: Date.now },
  authorities: { lookupAll: () => Promise.reject(new Error('no server is to be asked')) },
  ...some,
});
