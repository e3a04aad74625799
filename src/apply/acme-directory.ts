/** Where a CA's resources are (RFC 8555 §7.1.1); acme-client keeps whatever it was given for a directory, and has its own words for it. */
import { MailsealError } from '../errors.ts';
import type { Inner } from './acme-inner.ts';

export interface Directory {
  /** @throws MailsealError ACMEUnavailable where the directory does not say it. */
  readonly urlOf: (resource: string) => Promise<string>;
  /** Whether it says where a resource is that not every CA has. */
  readonly offers: (resource: string) => Promise<boolean>;
}

export function createDirectory(http: Inner['http'], ca: string, directoryUrl: string): Directory {
  // Many orders may begin at once; they share the first look at the directory.
  let first: Promise<unknown> | undefined;
  const placeOf = async (resource: string): Promise<string> => {
    let place: unknown;
    let cause: unknown;
    try {
      place = await http.getResourceUrl(resource);
    } catch (error) {
      if (error instanceof MailsealError) throw error;
      cause = error;
    }
    if (typeof place === 'string' && URL.canParse(place)) return place;
    http.directoryCache = null;
    const message = `The CA ${ca} gives no ACME directory: ${directoryUrl} does not say where ${resource} is. See whether spec.acme.server is right.`;
    throw new MailsealError('ACMEUnavailable', message, { cause });
  };
  const urlOf = async (resource: string): Promise<string> => {
    first ??= placeOf('newNonce').catch((error: unknown) => {
      first = undefined;
      throw error;
    });
    await first;
    return placeOf(resource);
  };
  return {
    urlOf,
    offers: async (resource) => {
      await urlOf('newNonce');
      return Object.hasOwn(http.directoryCache ?? {}, resource);
    },
  };
}
