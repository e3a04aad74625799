/** Looks for secrets in what others may read, in whatever form a program or a library may have written them. */

/** Shorter pieces than this may be chance, and give nobody anything. */
const piece = 16;

/** What is left of base64 of `bytes` at each place it may have within a longer text. */
function base64Of(bytes: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    // Characters at both ends depend on the neighbours.
    const sure = shifted.slice(shift === 0 ? 0 : shift + 1).replace(/..?=*$/u, '');
    return [sure, sure.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** As bytes, hexadecimal, base64 and base64 of base64, as in a Secret that holds PEM. */
function formsOf(secret: Buffer): readonly string[] {
  const hex = secret.toString('hex');
  const printable = /^[\x20-\x7e]+$/u.test(secret.toString('latin1')) ? [secret.toString('latin1')] : [];
  const once = [...printable, hex, hex.toUpperCase(), hex.replaceAll(/(..)(?=.)/gu, '$1:'), ...base64Of(secret)];
  const twice = once.flatMap((form) => base64Of(Buffer.from(form)));
  return [...once, ...twice].filter((form) => form.length >= piece);
}

export interface Haystack {
  /** Names of the secrets of which the text holds a piece. */
  readonly found: (text: string) => readonly string[];
}

/** Secrets by a name for the report. */
export function lookFor(secrets: Readonly<Record<string, Buffer>>): Haystack {
  const owners = new Map<string, string>();
  for (const [name, secret] of Object.entries(secrets)) {
    for (const form of formsOf(secret)) {
      for (let at = 0; at + piece <= form.length; at += 1) owners.set(form.slice(at, at + piece), name);
    }
  }
  return {
    found: (text) => {
      const names = new Set<string>();
      for (let at = 0; at + piece <= text.length; at += 1) {
        const owner = owners.get(text.slice(at, at + piece));
        if (owner !== undefined) names.add(owner);
      }
      return [...names].sort();
    },
  };
}
