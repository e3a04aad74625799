/** What is done to a domain while the observer looks. */
import type { Scenario } from './play.ts';

export const scenarios: Readonly<Record<'spec-change', Scenario>> = {
  'spec-change': {
    name: 'a domain is applied, changed and left alone',
    play: async ({ domain, apply, start, ready, quiet, observer, watched }) => {
      await apply();
      start();
      await ready();
      await quiet();
      observer.told({ is: 'settled' });
      await apply({
        mtaSts: { ttlSeconds: 1, promotion: { immediately: true }, maxAgeSeconds: 1_209_600 },
        tlsRpt: { rua: [`mailto:reports@${domain}`] },
      });
      await ready();
      await quiet();
      observer.told({ is: 'quiet' });
      await watched(3000);
    },
  },
};
