/** What named's logs say happened. */
import { existsSync, readFileSync } from 'node:fs';

export interface LoggedQuery {
  readonly client: string;
  readonly name: string;
  readonly type: string;
}

export function loggedQueries(file: string): LoggedQuery[] {
  return lines(file).flatMap((line) => {
    const match = /client @\S+ (\S+)#\d+ .*: query: (\S+) IN (\S+) /.exec(line);
    if (match === null) return [];
    const [, client = '', name = '', type = ''] = match;
    return [{ client, name: name.toLowerCase(), type }];
  });
}

/** Counts the messages that `key` signed and the access list let in. */
export function loggedUpdates(file: string, key: string, zone?: string): number {
  const approved = /\/key (\S+): update '(\S+)\/IN' approved$/;
  return lines(file).filter((line) => {
    const match = approved.exec(line);
    return match !== null && match[1] === key && (zone === undefined || match[2] === zone);
  }).length;
}

function lines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
}
