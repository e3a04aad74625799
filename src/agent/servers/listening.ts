import { isIP } from 'node:net';

/** The address on this machine for one that a server is told to listen on; the first that is not every one. */
export function localAddress(listening: readonly string[]): string {
  const literals = listening.map((text) => text.replaceAll(/[[\]]/gu, '')).filter((text) => isIP(text) !== 0);
  const own = literals.find((address) => !/^[0.:]+$/u.test(address));
  if (own !== undefined) return own;
  return literals.length > 0 && literals.every((address) => isIP(address) === 6) ? '::1' : '127.0.0.1';
}

/** A port by its number, or as services(5) names those of mail. */
export function portNumber(text: string): number {
  const named: Readonly<Record<string, number>> = { smtp: 25, smtps: 465, submissions: 465, submission: 587 };
  const port = named[text] ?? Number(text);
  if (Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  throw new Error(`'${text}' is no port that is known here: say it with --smtp or --tls`);
}
