/** Who is called what in the world in which keys are changed while mail flows. */
import { places } from '../lab/lab.ts';

export const zone = 'live.test';
export const hosts = ['mx1.live.test', 'mx2.live.test'] as const;
/** Of the MailExchanger. */
export const exchangerName = 'live';
/** Seconds; those of the zone too. */
export const ttlSeconds = 5;

export const mxPlaces: Readonly<Record<(typeof hosts)[number], string>> = {
  'mx1.live.test': places.mx1,
  'mx2.live.test': places.mx2,
};

/** One for each host: no mail that one host fails is saved by the other. */
export const mailDomains = ['one.live.test', 'two.live.test'] as const;

export const zoneRecords: string = [
  'one MX 10 mx1',
  'two MX 10 mx2',
  ...hosts.map((host) => `${host}. A ${mxPlaces[host]}`),
].join('\n');
