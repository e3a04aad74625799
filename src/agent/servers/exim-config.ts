/** Exim's configuration as text: a main option may stand once, before the first `begin`. */
import { dirname, join } from 'node:path';
import { readIfPresent } from '../atomic-file.ts';
import type { Edit } from './server.ts';

const header = '# Written by mailseal agent --configure.';

/** The edits by which Exim gets these main options, from a file of ours that its configuration includes. */
export async function eximEdits(
  config: string,
  text: string,
  settings: ReadonlyMap<string, string>,
): Promise<readonly Edit[]> {
  const path = join(dirname(config), 'mailseal.conf');
  const before = await readIfPresent(path);
  const kept = linesOf(before ?? '').filter((line) => line !== '' && line !== header && !setsOneOf(line, settings));
  const lines = [...settings].map(([name, value]) => `${name} = ${value}`);
  const snippet = {
    path,
    after: [header, ...kept, ...lines, ''].join('\n'),
    ...(before === undefined ? {} : { before }),
  };
  const after = withInclude(text, `.include_if_exists ${path}`, settings);
  return after === text ? [snippet] : [snippet, { path: config, before: text, after }];
}

function linesOf(text: string): readonly string[] {
  return text.split('\n');
}

function setsOneOf(line: string, settings: ReadonlyMap<string, string>): boolean {
  const name = /^\s*(?:hide\s+)?(\w+)\s*=/u.exec(line)?.[1];
  return name !== undefined && settings.has(name);
}

/** What stood of these options goes, since Exim refuses one that stands twice. */
function withInclude(text: string, include: string, settings: ReadonlyMap<string, string>): string {
  const lines = linesOf(text);
  const begin = lines.findIndex((line) => /^\s*begin\s/u.test(line));
  const end = begin === -1 ? lines.length : begin;
  let continued = false;
  const main = lines.slice(0, end).filter((line) => {
    const drop = continued || setsOneOf(line, settings);
    continued = drop && line.trimEnd().endsWith('\\');
    return !drop;
  });
  const included = main.includes(include) ? main : [...trimmed(main), include, ''];
  return [...included, ...lines.slice(end)].join('\n');
}

function trimmed(lines: readonly string[]): readonly string[] {
  const last = lines.findLastIndex((line) => line.trim() !== '');
  return lines.slice(0, last + 1);
}
