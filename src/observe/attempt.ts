import { MailsealError } from '../errors.ts';

/** `undefined`: it failed, and that is noted. */
export type Attempt = <T>(look: () => Promise<T>) => Promise<T | undefined>;

/** A provider or issuer that has gone, or refuses us, is said and not waited for. */
export function attempting(): { readonly attempt: Attempt; readonly failures: MailsealError[] } {
  const failures: MailsealError[] = [];
  const attempt: Attempt = async (look) => {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof MailsealError)) throw error;
      failures.push(error);
      return undefined;
    }
  };
  return { attempt, failures };
}

/** What only a human can mend: until then nothing can be removed but by hand. */
export const isLost = (failures: readonly MailsealError[]): boolean => failures.some(({ kind }) => kind === 'Stalled');
